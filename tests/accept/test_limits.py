"""At the limits: descriptors, starts at once, odd configs, a log that cannot be written."""
import os
import re
import resource
import time

import pytest

DESCRIPTORS = "At the limit of descriptors a new vassal is refused by name, and the court goes on"
STARTS = "Who is slow to start, or dies again and again, holds up nobody"
ODD = "A config that cannot be read is named with its line"


def limited(court, number):
    court.command = ["prlimit", f"--nofile={number}:{number}", *court.command]
    court.start()
    return court


@pytest.mark.regent_only(DESCRIPTORS)
def test_few_descriptors(new_court):
    """100 descriptors: as many vassals as fit run, each further one is refused by name; one goes, one of those comes."""
    court = limited(new_court(start=False), 100)
    names = [f"n{i:02}.ini" for i in range(12)]
    for name in names:
        court.fake(name)
    court.wait_for(lambda: all(court.starts(name) or f"cannot start {name}: Too many open files" in court.log for name in names), what="each is tried")
    court.a_while(0.3)
    running = [name for name in names if court.starts(name)]
    assert 0 < len(running) < len(names)
    court.touch(running[0])
    court.wait_words(running[0], ["start", "1"])
    for name in running[1:]:
        court.remove(name)
    waiting = [name for name in names if name not in running]
    court.wait_for(lambda: any(court.starts(name) for name in waiting), what="one that was refused starts")
    assert court.regentctl("status").returncode == 0


def seconds_for(court, n):
    """From the drop of n configs to the last start."""
    before = time.monotonic_ns()
    for i in range(n):
        court.fake(f"n{i}.ini")
    names = [f"n{i}.ini" for i in range(n)]
    court.wait_start(*names)
    return (max(court.history(name)[0][0] for name in names) - before) / 1e9


@pytest.mark.limit(40)
def test_most_descriptors(new_court):
    """RLIMIT_NOFILE as high as it goes: a start costs what it costs at 1024."""
    few = seconds_for(limited(new_court(start=False), 1024), 40)
    many = seconds_for(limited(new_court(start=False), resource.getrlimit(resource.RLIMIT_NOFILE)[1]), 40)
    assert many < 2 * few + 0.5, (few, many)


@pytest.mark.regent_only(STARTS)
def test_hanging_starts(new_court):
    """200 vassals at boot, 4 at once; the first 4 hang before their first byte: the others start when start-patience is over."""
    court = new_court("--max-starting=4", "--start-patience=1", start=False)
    for i in range(4):
        court.fake(f"a{i}.ini", "no-signal")
    others = [f"b{i}.ini" for i in range(196)]
    for name in others:
        court.fake(name)
    before = time.monotonic()
    court.start()
    court.wait_start(*others, deadline=15)
    assert time.monotonic() - before < 12
    assert all(court.starts(f"a{i}.ini") == 1 for i in range(4))
    new = time.monotonic()
    court.fake("new.ini")
    court.wait_start("new.ini")
    assert time.monotonic() - new < 1


@pytest.mark.regent_only(STARTS)
def test_deploy_before_boot(new_court):
    """While others still boot, one at a time: a touch of one that runs is obeyed before all of them are up."""
    court = new_court("--max-starting=1", start=False)
    names = [f"n{i:02}.ini" for i in range(12)]
    for name in names:
        court.fake(name, "delay=300")
    court.fake("site.ini")
    court.start()
    court.wait_start("site.ini")
    before = time.monotonic()
    court.touch("site.ini")
    court.wait_words("site.ini", ["start", "1"])
    assert time.monotonic() - before < 1
    assert not all(court.starts(name) for name in names)
    court.wait_start(*names)


@pytest.mark.regent_only(STARTS)
def test_dying_again_and_again(new_court):
    """8 vassals that die at every start, as fast as allowed, 2 starts at once: another one starts and reloads as if they were not there."""
    court = new_court("--max-starting=2", "--emperor-no-blacklist")
    for i in range(8):
        court.fake(f"bad{i}.ini", "delay=50", "exit-after=1")
    court.wait_for(lambda: all(court.starts(f"bad{i}.ini") >= 3 for i in range(8)), what="they die again and again")
    for i in range(3):
        before = time.monotonic()
        court.fake(f"good{i}.ini")
        court.wait_start(f"good{i}.ini")
        assert time.monotonic() - before < 1
    before = time.monotonic()
    court.touch("good0.ini")
    court.wait_words("good0.ini", ["start", "1"])
    assert time.monotonic() - before < 1
    for i in range(8):
        court.remove(f"bad{i}.ini")
    court.wait_for(lambda: len(court.vassals()) == 3, what="only the good are left")


def line_naming(court, *words):
    return court.wait_for(lambda: [line for line in court.log.splitlines() if all(word in line for word in words)], what=f"a line with {words}")


@pytest.mark.regent_only(ODD)
@pytest.mark.parametrize("name, text, words", [
    ("half.ini", b"[uwsgi]\nmodule = x\n[uw", None),
    ("nul.ini", b"[uwsgi]\nmodule = x\nsock\0et = y\n", ["nul.ini:3"]),
    ("big.ini", b"[uwsgi]\n" + b"# filler\n" * 600000, ["big.ini", "larger than"])])
def test_odd_ini(court, name, text, words):
    """Half-written, with a NUL, 5 MB: where regent cannot read it, a line names the vassal and the line; uWSGI is the judge; the court goes on; repaired, it reloads."""
    court.fake("good.ini")
    court.wait_start("good.ini")
    path = court.work / name
    path.write_bytes(text)
    path.rename(court.vassals_dir / name)
    if words:
        line_naming(court, f"[{name}]", *words)
    court.wait_for(lambda: court.regentctl("wait", name, "--for=ready", "--timeout=5").returncode == 0, what="uWSGI is the judge: it is started")
    court.touch("good.ini")
    court.wait_words("good.ini", ["start", "1"])
    court.fake(name)
    line_naming(court, f"[{name}] reloads")
    assert court.regentctl("status").returncode == 0


@pytest.mark.regent_only("What cannot be logged is dropped, and holds up nobody")
def test_full_disk(new_court):
    """--logto on a full device: the court rules on."""
    court = new_court("--logto", "/dev/full")
    court.fake("a.ini", "print=hello", "flood")
    court.wait_start("a.ini")
    court.touch("a.ini")
    court.wait_words("a.ini", ["start", "1"])
    assert court.regentctl("status", "a").returncode == 0
    assert re.search(r"f{60}", court.regentctl("logs", "a").stdout)


def test_log_cannot_be_opened(new_court):
    """--logto where nothing can be written: a line that names it, and nothing is started."""
    court = new_court("--logto", "/nowhere/log", start=False)
    court.start(wait=False)
    court.wait_for(lambda: court.popen.poll() is not None, what="it ends")
    assert court.popen.returncode == 1
    assert court.log.splitlines() and "/nowhere/log" in court.log
    assert os.listdir(court.run) == []
    court.stopped = True
