#!/usr/bin/python3
"""The benchmarks: regent beside uWSGI's Emperor and beside the bare floor, all in this run. Prints two tables: what a supervisor costs (here),
what clients see of deploys (deploys.py). See bench.mk.

The vassals are tests/accept/fake_vassal, so that what is measured is the supervisor. Times are taken from what the vassals write:
from the moment something was done to the moment the last (or the only) vassal concerned says so. Where there are rounds, each has
floor, regent and Emperor one after the other, a ratio is of one round, and the median of the rounds is shown."""
import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import random
import resource
import socket
import sys
import time
import types

import measure
from courts import Emperor, Floor, Regent, now, wait_for
from deploys import bench_deploys
from measure import median
from table import Table, count, kib, ms, ratio

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
SETTLE = 2.5  # s: ready-for (1 s) and what follows it is over
UNSEEN = 6.5  # s without a reaction: the Emperor has looked twice
SPARE_MS = 20  # DESIGN: what a start may cost beyond 1.25 x the floor, once
FACTOR = 1.25
DESCRIPTORS = 3  # a vassal, in the keeper


def rough():
    return types.SimpleNamespace(touches=10, drops=2, drop=100, starts={1000: 1}, many=1000, idle=10, calls=5,
                                 calm=5, deploys=10, emperor_deploys=3, long_request=False)


def full():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    starts = {n: rounds for n, rounds in {1000: 5, 4000: 3, 10000: 1}.items() if n * DESCRIPTORS + 200 <= hard}
    return types.SimpleNamespace(touches=30, drops=5, drop=100, starts=starts, many=1000, idle=130, calls=10,
                                 calm=15, deploys=50, emperor_deploys=10, long_request=True)


def log(text):
    print(f"  {text}", file=sys.stderr, flush=True)


# ---- touch to byte 1
def reaction(words, since, deadline=UNSEEN):
    """ms until the next byte 1; None: none."""
    found = wait_for(lambda: [ns for ns in words.times("1") if ns >= since], deadline)
    return (found[0] - since) / 1e6 if found else None


def touch_one_by_one(court, numbers):
    """The median, in ms."""
    times = []
    for i in numbers:
        time.sleep(0.05)
        times.append(reaction(court.words(i), court.touch(i)))
    if None in times:
        raise RuntimeError(f"{court.kind}: {times.count(None)} of {len(times)} touches were not seen")
    return median(times)


def touch_at_random(court, n):
    """For who looks at intervals: over three of them. What each took, in ms."""
    moments = sorted(random.uniform(0, 9) for _ in range(n))
    begin, touched = time.monotonic(), []
    for i, moment in enumerate(moments):
        time.sleep(max(0, begin + moment - time.monotonic()))
        touched.append(court.touch(i))
    return [reaction(court.words(i), since) for i, since in enumerate(touched)]


def touch_floor(programs, n):
    with Floor(programs, n, own_words=True) as court:
        court.what = "touch"
        court.drop()
        court.start()
        court.said()
        court.wait_up()
        return touch_one_by_one(court, range(n))


def touch_regent(programs, n):
    with Regent(programs, n, own_words=True) as court:
        court.drop()
        court.start()
        court.wait_up()
        court.wait_ruling()
        court.wait_ready()
        return touch_one_by_one(court, range(n))


def touch_emperor(programs, n):
    with Emperor(programs, n, own_words=True) as court:
        court.drop()
        court.start()
        court.wait_up()
        time.sleep(SETTLE)
        return median(touch_at_random(court, n))


# ---- dropped into a running court, and started with it
def floor_starts(programs, n):
    """ms from the beginning of the loop to the last start."""
    with Floor(programs, n) as court:
        court.drop()
        court.start()
        last = court.wait_up()[-1]
        return (last - int(court.said())) / 1e6


def drop_into(kind, programs, n):
    """(ms to the first start, to the last)."""
    with kind(programs, n) as court:
        court.start()
        court.wait_ruling()
        time.sleep(random.uniform(0.2, 3.2) if kind is Emperor else 0.2)
        began = court.drop()
        starts = court.wait_up()
        return (starts[0] - began) / 1e6, (starts[-1] - began) / 1e6


def start_with(kind, programs, n):
    """ms from the supervisor's own exec to the last start."""
    with kind(programs, n) as court:
        court.drop()
        began = court.start()
        return (court.wait_up()[-1] - began) / 1e6


def row_drop(table, programs, plan):
    rounds = []
    for i in range(plan.drops):
        log(f"{plan.drop} dropped, round {i + 1}")
        floor = floor_starts(programs, plan.drop)
        rounds.append((floor, drop_into(Regent, programs, plan.drop), drop_into(Emperor, programs, plan.drop)))
    floor = median([f for f, _, _ in rounds])
    first, total = (median([r[k] for _, r, _ in rounds]) for k in (0, 1))
    waits, spawns = [e[0] for _, _, e in rounds], [e[1] - e[0] for _, _, e in rounds]
    over = median([r[1] - FACTOR * f for f, r, _ in rounds])
    table.row(f"{plan.drop} configs dropped at once: wait", f"{ms(median(waits))}, at most {ms(max(waits))}", ms(first), "", "no wait",
              first <= SPARE_MS)
    table.row("... until the last runs, the wait included", f"{ms(median([e[1] for _, _, e in rounds]))}", ms(total), ms(floor),
              f"{FACTOR} x + {SPARE_MS} ms", over <= SPARE_MS)
    table.row("... from the first to the last, / floor", ratio(median([s / f for s, (f, _, _) in zip(spawns, rounds)])),
              ratio(median([(r[1] - r[0]) / f for f, r, _ in rounds])), "", "", None)


def row_start(table, programs, n, n_rounds):
    rounds = []
    for i in range(n_rounds):
        log(f"start of {n}, round {i + 1}")
        rounds.append((floor_starts(programs, n), start_with(Regent, programs, n), start_with(Emperor, programs, n)))
    floor, regent, emperor = (median(column) for column in zip(*rounds))
    over = median([r - FACTOR * f for f, r, _ in rounds])
    table.row(f"start of {n:,}", ms(emperor), ms(regent), ms(floor), f"{FACTOR} x + {SPARE_MS} ms", over <= SPARE_MS)
    table.row("... / floor", ratio(median([e / f for f, _, e in rounds])), ratio(median([r / f for f, r, _ in rounds])), "", "", None)


# ---- at rest, with many
def memory_at_rest(kind, programs):
    with kind(programs, 0) as court:
        court.start()
        court.wait_ruling()
        time.sleep(SETTLE)
        return measure.pss_kib(court.pids())


def row_memory(table, programs, courts):
    per = []
    for court in courts:
        per.append((measure.pss_kib(court.pids()) - memory_at_rest(type(court), programs)) / court.n)
    emperor, regent = per
    table.row(f"memory per silent vassal (PSS, {courts[0].n:,})", kib(emperor), kib(regent), "", "1 KiB", regent <= 1)


def count_calls(court, seconds):
    calls = measure.SystemCalls(court.pids(), court.base / "strace")
    time.sleep(seconds)
    return calls.stop()


def row_idle(table, emperor, regent, plan, meanwhile):
    """meanwhile: what else is to be measured while regent must not move; none of it needs the machine for itself."""
    begin, before = time.monotonic(), [measure.ran(court.pids()) for court in (emperor, regent)]
    calls = count_calls(emperor, plan.calls)
    after_emperor = measure.ran(emperor.pids())
    found = meanwhile()
    time.sleep(max(0, plan.idle - (time.monotonic() - begin)))
    seconds = time.monotonic() - begin
    spent, switches = (b - a for a, b in zip(before[1], measure.ran(regent.pids())))
    mine = 0 if spent == 0 and switches == 0 else count_calls(regent, plan.calls)
    what = f"{plan.many:,} vassals"
    table.row(f"idle, {what}: system calls in {plan.calls} s", count(calls), count(mine), "", "0", mine == 0)
    table.row(f"... wake-ups, regent's in {seconds:.0f} s", count(after_emperor[1] - before[0][1]), count(switches), "", "0", switches == 0)
    return found


# ---- a client that never reads
def row_silent_clients(table, regent, emperor):
    numbers = range(30)
    without = touch_one_by_one(regent, numbers)
    with contextlib.ExitStack() as stack:
        for line in ("events --follow", "status") * 4:
            stack.enter_context(regent.client(line))
        time.sleep(1)
        beside = touch_one_by_one(regent, numbers)
    table.row("touch while clients do not read (8; the Emperor's stats: 1)", emperor, ms(beside), "", "no effect",
              beside <= 1.5 * without + 0.2)
    table.row("... and without them, in the same court", "", ms(without), "", "", None)


def silent_stats(emperor):
    """How many touches the Emperor sees meanwhile. The court is big enough for its stats not to fit into the socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(emperor.stats))
        time.sleep(4)
        touched = [emperor.touch(i) for i in range(5)]
        time.sleep(UNSEEN)
        found = sum(reaction(emperor.words(i), since, 0) is not None for i, since in enumerate(touched))
    return f"{found} of 5 seen"


# ---- changes that are easily overlooked
def seen(yes):
    return "seen" if yes else "not seen"


def switch_link(court, i, target):
    since = now()
    (court.work / "link").symlink_to(target)
    os.rename(court.work / "link", court.vassals / court.name(i))
    return since


def date(path, moment_ns):
    since = now()
    os.utime(path, ns=(moment_ns, moment_ns))
    return since


def overlooked(kind, programs):
    """(a link switched to an older file, a second edit within a second): is it seen? The step before was, each time."""
    with kind(programs, 2, own_words=True) as court:
        court.drop()
        court.start()
        court.wait_up()
        time.sleep(SETTLE)
        edited = court.vassals / court.name(1)
        second = (int(time.time()) + 2) * 10**9
        old, new = court.work / "old", court.work / "new"
        for path, age in ((new, 1000), (old, 5000)):
            path.write_text((court.vassals / court.name(0)).read_text())
            date(path, int(time.time() - age) * 10**9)
        steps = ((new, second + 10**8), (old, second + 6 * 10**8))
        for target, moment in steps:
            since = switch_link(court, 0, target), date(edited, moment)
            end = time.monotonic() + UNSEEN
            answers = [reaction(court.words(i), since[i], max(0, end - time.monotonic())) is not None for i in (0, 1)]
        return answers


# ---- all of it
def at_once(*calls):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return [future.result() for future in [pool.submit(*call) for call in calls]]


def big_court(stack, kind, programs, n):
    court = stack.enter_context(kind(programs, n, own_words=True))
    court.drop()
    court.start()
    court.wait_up()
    return court


def bench(table, programs, plan):
    log("touch")
    floor, regent = touch_floor(programs, plan.touches), touch_regent(programs, plan.touches)
    row_touch = table.reserve()
    row_drop(table, programs, plan)
    for n, rounds in plan.starts.items():
        row_start(table, programs, n, rounds)

    with contextlib.ExitStack() as stack:
        log("memory")
        big = [big_court(stack, kind, programs, plan.many) for kind in (Emperor, Regent)]
        big[1].wait_ready()
        time.sleep(SETTLE)
        row_memory(table, programs, big)

        log(f"idle, for {plan.idle} s; meanwhile what takes the Emperor seconds, and what is easily overlooked")
        touch, stats, theirs, mine = row_idle(table, *big, plan, lambda: at_once(
            (touch_emperor, programs, plan.touches), (silent_stats, big[0]), (overlooked, Emperor, programs),
            (overlooked, Regent, programs)))
        log("clients that never read")
        row_silent_clients(table, big[1], stats)
    row_touch(f"touch to byte 1, median of {plan.touches}", ms(touch), ms(regent), ms(floor), "2 x + 0.2 ms",
              regent <= 2 * floor + 0.2)
    for what, emperor, ours in zip(("link switched to an older file", "second edit within a second"), theirs, mine):
        table.row(what, seen(emperor), seen(ours), "", "seen", ours)


def before_others():
    """Ahead of whatever else the machine does, if that is allowed: all that we start inherits it. Whether it is."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter: to see that it works, not how fast")
    parser.add_argument("--deploys", action="store_true", help="only the table of deploys")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: run it as root: the vassals run as another user")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    build = (TOP / options.build).resolve()
    programs = types.SimpleNamespace(regent=build / "regent", fake=build / "tests/fake_vassal", floor=build / "bench/floor",
                                     load=build / "tests/load")
    table, began = Table(), time.monotonic()
    head = measure.machine() + (", at real-time priority but for the deploys" if before_others() else "")
    plan = rough() if options.quick else full()
    if not options.deploys:
        bench(table, programs, plan)
    deploys = bench_deploys(programs, plan, log)
    print(f"\n{head}. Other work on the machine moves every figure: compare within a run, not between runs.")
    if table.rows:
        print(table.text() + "\n")
    print(deploys.text())
    print(f"{time.monotonic() - began:.0f} s" + (", quick: rough figures" if options.quick else ""))
    sys.exit(1 if table.over or deploys.over else 0)


if __name__ == "__main__":
    main()
