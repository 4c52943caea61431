"""The death of the ruler, at marked points and at random ones: nobody notices. The keeper's death ends all."""
import contextlib
import ctypes
import os
import random
import re
import signal
import threading
import time

import pytest

import client
import process
from asking import Later, by_regentctl, by_socket, result, status_of, wait_state
from site_of_apps import Site

pytestmark = pytest.mark.regent_only("The supervisor's crash: vassals live on")
LONG = os.environ.get("REGENT_LONG") == "1"


def ready(court, *names, lines=()):
    for name in names:
        court.fake(name, *lines)
    for name in names:
        wait_state(court, name, "ready")


def kill_ruler(court, number=signal.SIGKILL):
    """Its pid, dead or stopped."""
    ruler = court.wait_for(court.ruler, what="a ruler")
    os.kill(ruler, number)
    court.wait_for(lambda: (process.stat(ruler) or {"state": "X"})["state"] in "TZX")
    return ruler


def new_ruler(court, old, deadline=10):
    return court.wait_for(lambda: court.ruler() not in (None, old) and court.ruler(), deadline, "a new ruler")


def answers(court):
    try:
        return by_socket(court, "version")[-1]["ruler"]
    except (OSError, IndexError):
        return None


# ---- marked points
def test_nobody_notices(court):
    """kill -9: a new ruler at once; same pids, no byte, and it rules: touch, drop, removal, a death meanwhile."""
    ready(court, "a.ini", "b.ini", "c.ini")
    pids = [court.pid(name) for name in ("a.ini", "b.ini", "c.ini")]
    old = kill_ruler(court)
    new_ruler(court, old, 2)
    court.touch("a.ini")
    court.wait_words("a.ini", ["start", "1"])
    court.fake("d.ini")
    court.wait_start("d.ini")
    court.remove("c.ini")
    court.wait_words("c.ini", ["start", "0", "exit=0"])
    assert court.words("b.ini") == ["start"]
    assert [court.pid(name) for name in ("a.ini", "b.ini")] == pids[:2]
    found = status_of(court, "b.ini")
    assert (found["state"], found["pid"], found["cycle"]) == ("ready", pids[1], 1)
    assert court.log.count("the ruler (pid") == 1


def test_after_a_spawn_was_sent(new_court):
    """While many are being started: each is started, once."""
    court = new_court("--max-starting=0")
    names = [f"{i}.ini" for i in range(60)]
    for name in names:
        court.fake(name, directory=court.work)
    for name in names:
        (court.work / name).rename(court.vassals_dir / name)
    old = kill_ruler(court)
    court.wait_start(*names)
    for name in names:
        wait_state(court, name, "ready")
    new_ruler(court, old)
    court.a_while(0.2)
    assert {name: court.words(name) for name in names} == {name: ["start"] for name in names}


def test_while_one_starts(court):
    """Started, but its byte 5 has not come: the new ruler waits for it; a deploy that waits too gets its answer."""
    court.fake("a.ini", "delay=800")
    court.wait_start("a.ini")
    wait_state(court, "a.ini", "starting")
    waits = Later(by_regentctl, court, "wait", "a.ini", "--for=ready")
    asks = Later(by_regentctl, court, "reload", "a.ini")
    court.a_while(0.2)
    kill_ruler(court)
    assert waits.get()[-1]["status"] == 0
    assert (asks.get()[-1]["status"], court.words("a.ini")) == (0, ["start", "1"])


@pytest.mark.parametrize("moment", [0, 0.1, 0.4])
def test_during_a_reload(new_court, moment):
    """Byte 1 is sent, byte 5 has not come or is being judged: one byte 1 in all, and a true answer to who waits."""
    court = new_court("--ready-for=0.6")
    ready(court, "a.ini")
    asks = Later(court.regentctl, "reload", "a.ini")
    court.wait_words("a.ini", ["start", "1"])
    court.a_while(moment)
    kill_ruler(court)
    done = asks.get()
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[-1].startswith("a.ini: reloaded")
    court.a_while(0.3)
    assert court.bytes("a.ini") == [1]
    assert status_of(court, "a.ini")["cycle"] == 2


def test_during_a_reload_that_fails(new_court):
    """The reload's vassal dies while no ruler lives: the answer is 3, and it is started again."""
    court = new_court("--emperor-throttle=100", "--ready-for=1")
    ready(court, "a.ini")
    asks = Later(court.regentctl, "reload", "a.ini")
    court.wait_words("a.ini", ["start", "1"])
    os.kill(court.ruler(), signal.SIGSTOP)
    os.kill(court.pid("a.ini"), signal.SIGKILL)
    kill_ruler(court)
    done = asks.get()
    assert done.returncode == 3 and "SIGKILL" in done.stdout, done
    court.wait_start("a.ini", count=2)


def test_while_output_flows(court):
    """A vassal prints as fast as it can: it is not blocked for long, nor ended, and its neighbour reloads."""
    court.fake("flood.ini", "flood")
    ready(court, "a.ini")
    pid = court.pid("flood.ini")
    for _ in range(3):
        new_ruler(court, kill_ruler(court))
        assert by_regentctl(court, "reload", "a.ini")[-1]["status"] == 0
    assert court.words("flood.ini") == ["start"] and court.pid("flood.ini") == pid
    assert court.bytes("a.ini") == [1, 1, 1]


def test_while_clients_wait(new_court):
    """Many clients wait for many reloads: each has its answer, no vassal more than one byte 1."""
    court = new_court("--ready-for=0.5")
    names = [f"{i}.ini" for i in range(6)]
    ready(court, *names)
    asked = [Later(by_regentctl, court, "reload", name) for name in names] + [Later(by_regentctl, court, "wait", "later.ini", "--for=ready")]
    for name in names:
        court.wait_words(name, ["start", "1"])
    new_ruler(court, kill_ruler(court))
    court.fake("later.ini")
    assert [each.get()[-1]["status"] for each in asked] == [0] * 7
    assert [court.bytes(name) for name in names] == [[1]] * 6


def test_exits_meanwhile(court):
    """Vassals that end, configs that go, come and change while no ruler lives: acted on by the next."""
    ready(court, "dies.ini", "goes.ini", "changes.ini", "stays.ini")
    os.kill(court.ruler(), signal.SIGSTOP)
    os.kill(court.pid("dies.ini"), signal.SIGKILL)
    court.remove("goes.ini")
    court.touch("changes.ini")
    court.fake("comes.ini")
    kill_ruler(court)
    court.wait_start("dies.ini", count=2)
    court.wait_start("comes.ini")
    court.wait_words("changes.ini", ["start", "1"])
    court.wait_words("goes.ini", ["start", "0", "exit=0"])
    assert court.words("stays.ini") == ["start"]


# ---- a ruler that does not work
def test_hangs(new_court):
    """SIGSTOP: killed after --ruler-patience and replaced; who asked meanwhile is answered."""
    court = new_court("--ruler-patience=1")
    ready(court, "a.ini")
    began = time.monotonic()
    old = kill_ruler(court, signal.SIGSTOP)
    asks = Later(by_regentctl, court, "reload", "a.ini")
    new_ruler(court, old, 4)
    assert 0.5 < time.monotonic() - began < 3
    assert asks.get()[-1]["status"] == 0 and court.bytes("a.ini") == [1]
    assert "did not answer within ruler-patience" in court.log


@contextlib.contextmanager
def frozen(pid):
    """Held by a tracer: it hangs, and its parent is not told, as of a process in an endless loop."""
    PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        assert libc.ptrace(request, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    yield
    os.waitpid(pid, 0x40000000)  # __WALL: its parent hears of its end after us
    while process.alive(pid):
        os.waitpid(pid, 0x40000000)


def test_hangs_unseen(new_court):
    """A ruler in an endless loop is found by the next client; also if the last one knocked while no ruler lived."""
    court = new_court("--ruler-patience=1")
    ready(court, "a.ini")
    court.a_while(1.2)  # the keeper listens for a knock once a second
    for _ in range(3):
        kill_ruler(court)
    court.wait_for(lambda: court.ruler() is None, what="the pause before a new ruler")
    assert by_socket(court, "list")[-1]["status"] == 0
    old = court.ruler()
    with frozen(old):
        asks = Later(by_regentctl, court, "reload", "a.ini")
        court.wait_for(lambda: f"the ruler (pid {old}) did not answer within ruler-patience: killed" in court.log, 5)
    new_ruler(court, old)
    assert asks.get()[-1]["status"] == 0 and court.bytes("a.ini") == [1]


@pytest.mark.limit(30)
def test_prints_while_no_ruler_reads(new_court):
    """A vassal that prints much is not held up by a ruler that hangs or is long in coming; what is dropped is said."""
    court = new_court("--ruler-patience=3")
    court.fake("flood.ini", "flood")
    ready(court, "a.ini")
    flood = court.pid("flood.ini")
    kill_ruler(court, signal.SIGSTOP)
    court.a_while(0.5)
    before = written(flood)
    court.wait_for(lambda: written(flood) > before + 500_000, 2.5, "it prints on")
    court.wait_for(lambda: "while no ruler read them were dropped" in court.log, 10)
    assert by_regentctl(court, "reload", "a.ini")[-1]["status"] == 0


def written(pid):
    """Bytes that it has written."""
    with open(f"/proc/{pid}/io") as f:
        return int(dict(line.split(": ") for line in f)["wchar"])


@pytest.mark.limit(30)
def test_crashes_at_every_start(court):
    """Each new ruler dies at once: the pauses grow and are logged, vassals go on; then one lives, and all is as before."""
    ready(court, "a.ini", "b.ini")
    killed, end = [], time.monotonic() + 3
    while time.monotonic() < end:
        if (ruler := court.ruler()) and ruler not in killed:
            os.kill(ruler, signal.SIGKILL)
            killed.append(ruler)
        time.sleep(0.005)
    pauses = [float(found) for found in re.findall(r"a new ruler in ([0-9.]+) s", court.log)]
    assert pauses[:5] == [0, 0.1, 0.2, 0.4, 0.8]
    assert 5 <= len(killed) <= 7
    assert court.words("a.ini") == court.words("b.ini") == ["start"]
    court.touch("a.ini")
    court.wait_words("a.ini", ["start", "1"])
    assert court.words("b.ini") == ["start"]


# ---- ends
def test_term_while_the_ruler_is_dead(court):
    """TERM with no ruler alive: the next one dissolves the court."""
    ready(court, "a.ini", "b.ini")
    for _ in range(3):
        old = kill_ruler(court)
        court.wait_for(lambda: court.ruler() != old)
        if not court.ruler():
            break
    court.stop()
    assert court.popen.returncode == 0
    assert court.words("a.ini") == court.words("b.ini") == ["start", "0", "exit=0"]


def test_ruler_dies_while_all_stop(court):
    """The ruler dies between TERM and the end: the next one goes on with it."""
    ready(court, "a.ini")
    ready(court, "slow.ini", lines=["ignore-stop"])
    court.deaf = False
    court.send(signal.SIGTERM)
    court.wait_words("a.ini", ["start", "0", "exit=0"])
    kill_ruler(court)
    court.a_while(0.3)
    os.kill(court.pid("slow.ini"), signal.SIGKILL)
    court.stop()
    assert court.popen.returncode == 0


def test_keeper_dies(court):
    """kill -9 of the keeper: the ruler goes, every wire closes, every vassal ends."""
    ready(court, "a.ini", "b.ini")
    ruler = court.ruler()
    court.stop(signal.SIGKILL)
    court.wait_for(lambda: not process.alive(ruler), 3, "the ruler is gone")
    court.wait_for(lambda: not court.processes(), 5, "all are gone")
    for name in ("a.ini", "b.ini"):
        assert court.words(name) in (["start", "eof", "exit=1"], ["start"])


# ---- at random, under load
class Load(threading.Thread):
    """Requests to a socket, one after another, each over a connection of its own."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.served, self.failed, self.over = address, 0, [], False

    def run(self):
        while not self.over:
            try:
                status, _ = client.get(self.address)
                if status != 200:
                    raise OSError(f"status {status}")
                self.served += 1
            except OSError as error:
                self.failed.append(f"{time.monotonic():.3f} {error!r}")


COURTS, KILLS = (10, 10) if LONG else (6, 5)  # a ruler that dies young is replaced ever later: many courts, few kills each


def _kill_at_random(court, dice):
    for _ in range(KILLS):
        ruler = court.wait_for(court.ruler, 40, "a ruler")
        time.sleep(dice.random() ** 3 * 0.5)
        os.kill(ruler, signal.SIGKILL)
        court.wait_for(lambda: court.ruler() != ruler)


@pytest.mark.limit(120 if LONG else 40)
def test_killed_at_random_under_load(new_court):
    """30 (REGENT_LONG=1: 100) kills at random moments, under load on real apps: no request fails, no worker is another."""
    sites = [Site(new_court) for _ in range(COURTS)]
    places = [site.app("a") for site in sites]
    for site, place in zip(sites, places):
        site.says(place, (200, "one"))
        wait_state(site.court, "a.ini", "ready")
    masters = [status_of(site.court, "a.ini")["pid"] for site in sites]
    loads = [Load(place / "socket") for place in places]
    for load in loads:
        load.start()
    for killer in [Later(_kill_at_random, site.court, random.Random(number)) for number, site in enumerate(sites)]:
        killer.get(100)
    for site in sites:
        site.court.wait_for(lambda: answers(site.court), 40, "it answers")
    for load in loads:
        load.over = True
        load.join(10)
    assert not any(load.failed for load in loads), [load.failed[:3] for load in loads]
    assert min(load.served for load in loads) > 100
    assert [status_of(site.court, "a.ini")["pid"] for site in sites] == masters
    assert {status_of(site.court, "a.ini")["cycle"] for site in sites} == {1}
    for stop in [Later(result, site.court, "stop", "--all") for site in sites]:
        assert stop.get()["status"] == 0
