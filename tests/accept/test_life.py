"""From the first byte to the last: exits, curses, heartbeats, signals, throttling."""
import os
import signal
import time

import pytest

TOLERANCE = "--emperor-curse-tolerance=2"


def at(court, name, word, which=0):
    """Seconds (monotonic) of the which-th such word."""
    return [when for when, _, said in court.history(name) if said == word][which] / 1e9


@pytest.mark.parametrize("how", ["exit-after=0", "exit-after=1", "exit-after=22", "segv"])
def test_dies_and_comes_back(court, how):
    """A vassal that ends by itself, whatever the status, or by a signal, is started again at once."""
    court.fake("a.ini", f"once={court.out}/died", how)
    court.wait_start("a.ini", count=2)
    assert at(court, "a.ini", "start", 1) - at(court, "a.ini", "start") < 1
    court.a_while(0.3)
    assert court.starts("a.ini") == 2


def test_killed_and_comes_back(court):
    """kill -9 of a vassal: a new one, and no zombie."""
    court.fake("a.ini", "bytes=1,5,17")
    court.wait_start("a.ini")
    first = court.pid("a.ini")
    os.kill(first, signal.SIGKILL)
    court.wait_start("a.ini", count=2)
    assert court.pid("a.ini") != first


def test_dies_instead_of_reloading(court):
    """An exit on byte 1 is followed by a start."""
    court.fake("a.ini", "bytes=1,5,17", "exit-on-reload=1")
    court.wait_start("a.ini")
    court.touch("a.ini")
    court.wait_words("a.ini", ["start", "1", "exit=1", "start"])


def test_died_loyal_is_not_throttled(court):
    """A vassal that said 17 comes back at once, however often it dies."""
    court.fake("a.ini", "bytes=1,5,17")
    for i in range(1, 6):
        court.wait_start("a.ini", count=i, deadline=2)
        os.kill(court.pid("a.ini"), signal.SIGKILL)
    court.wait_start("a.ini", count=6, deadline=2)


def gaps(court, name):
    """Seconds between its starts. (The Emperor's come in pairs: the second of a pair is not throttled.)"""
    starts = [when / 1e9 for when, _, word in court.history(name) if word == "start"]
    return [later - sooner for sooner, later in zip(starts, starts[1:])]


@pytest.mark.limit(30)
def test_throttle(new_court):
    """Who dies at each start waits longer and longer; another vassal, new or old, does not wait for it."""
    court = new_court("--emperor-throttle=100")
    court.fake("bad.ini", "exit-at-start=1")
    court.fake("good.ini")
    court.wait_start("good.ini")
    court.wait_start("bad.ini", count=3)
    court.touch("good.ini")
    court.wait_words("good.ini", ["start", "1"], deadline=2)
    court.wait_start("bad.ini", count=7 if court.kind == "regent" else 9)  # regent: pauses of 0, 1, 2, 4, 8, 16 x 100 ms
    waits = gaps(court, "bad.ini")
    assert max(waits[-3:]) > max(waits[:3])
    assert max(waits[-3:]) > 0.2
    court.fake("new.ini")
    court.wait_start("new.ini", deadline=2)


@pytest.mark.limit(30)
def test_throttle_has_a_maximum(new_court):
    """--emperor-max-throttle: the waits do not grow beyond it."""
    court = new_court("--emperor-throttle=600", "--emperor-max-throttle=1000")
    court.fake("bad.ini", "exit-at-start=1")
    court.wait_start("bad.ini", count=8, deadline=15)
    assert 0.3 < max(gaps(court, "bad.ini")) < 2.2


def test_no_blacklist(new_court):
    """--emperor-no-blacklist: no growing throttle. (The Emperor spins; regent starts it again every 0.1 s.)"""
    court = new_court("--emperor-no-blacklist")
    court.fake("bad.ini", "exit-at-start=1")
    court.wait_start("bad.ini", count=20, deadline=5)


def test_stop_ignored(new_court):
    """Who ignores the stop byte (and TERM) is killed after the curse tolerance, not before."""
    court = new_court(TOLERANCE)
    court.fake("a.ini", "ignore-stop")
    court.fake("b.ini", "no-signal")
    court.wait_start("a.ini", "b.ini")
    pids = [court.pid("a.ini"), court.pid("b.ini")]
    court.remove("a.ini")
    court.remove("b.ini")
    court.wait_words("a.ini", ["start", "0"])
    began = time.monotonic()
    court.wait_for(lambda: not any(map(os.path.exists, [f"/proc/{pid}" for pid in pids])), 6, "both killed")
    assert 1 <= time.monotonic() - began <= 4
    assert court.words("a.ini") == ["start", "0"]


def test_wire_closed(new_court):
    """Who closes the wire and lives on is cursed: killed after the tolerance, then started again."""
    court = new_court(TOLERANCE)
    court.fake("a.ini", f"once={court.out}/closed", "close-wire")
    court.wait_start("a.ini")
    first = court.pid("a.ini")
    court.wait_start("a.ini", count=2, deadline=8)
    assert 1 <= at(court, "a.ini", "start", 1) - at(court, "a.ini", "start") <= 5
    assert not os.path.exists(f"/proc/{first}")


def test_heartbeat_lost(new_court):
    """Once a heartbeat has come, silence beyond the limit means SIGKILL and a new start. Who never sent one is left alone."""
    court = new_court("--emperor-required-heartbeat=1")
    court.fake("a.ini", f"once={court.out}/hung", "heartbeat=100", "heartbeats=3")
    court.fake("beats.ini", "heartbeat=100")
    court.fake("silent.ini")
    court.wait_start("a.ini", "beats.ini", "silent.ini")
    court.wait_start("a.ini", count=2, deadline=8)
    assert at(court, "a.ini", "start", 1) - at(court, "a.ini", "start") >= 1
    court.a_while(0.5)
    assert court.words("a.ini") == ["start", "start"]
    assert court.words("beats.ini") == court.words("silent.ini") == ["start"]


def test_byte_22(court):
    """A vassal that says 22 (and is not on demand) gets the stop byte."""
    court.fake("a.ini", f"once={court.out}/said", "bytes=1,5,22")
    court.wait_start("a.ini")
    court.wait_for(lambda: court.words("a.ini")[:3] == ["start", "0", "exit=0"], what="byte 0")


def test_odd_bytes(court):
    """Bytes that mean nothing, or nothing here, change nothing."""
    court.fake("a.ini", "bytes=1,5,0,3,30,31,99,128,255,2,17,17,5,5")
    court.wait_start("a.ini")
    court.touch("a.ini")
    court.wait_words("a.ini", ["start", "1"])


def test_never_says_it_is_up(court):
    """A vassal that hangs before its first byte holds up nobody, and is stopped by removing it."""
    for i in range(3):
        court.fake(f"hung{i}.ini", "no-signal")
    court.fake("a.ini")
    court.wait_start("a.ini", "hung0.ini", "hung1.ini", "hung2.ini")
    court.touch("a.ini")
    court.wait_words("a.ini", ["start", "1"])


def test_exec_fails_then_works(new_court):
    """A binary that is not there: the court goes on; when it is there, the vassal starts by itself."""
    court = new_court("--emperor-throttle=100", start=False)
    binary = court.work / "vassal"
    court.command[court.command.index(str(court.setup.fake))] = str(binary)
    court.start()
    court.fake("a.ini")
    court.wait_for(lambda: "a.ini" in court.log, what="a line about it")
    assert court.running
    binary.symlink_to(court.setup.fake)
    court.wait_start("a.ini", deadline=10)


# ---- signals to the supervisor
@pytest.mark.limit(30)
def test_term_int_quit(new_court):
    """Each ends all: byte 0 to every vassal, exit status 0, nothing left."""
    courts = {number: new_court() for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)}
    names = ["a.ini", "b.ini", "c.ini"]
    for court in courts.values():
        for name in names:
            court.fake(name)
    for court in courts.values():
        court.wait_start(*names)
    for number, court in courts.items():
        court.send(number)
    for number, court in courts.items():
        assert court.stop(number) == 0
        assert not court.processes()
        for name in names:
            assert court.words(name) == ["start", "0", "exit=0"]


@pytest.mark.limit(30)
def test_term_with_a_deaf_vassal(new_court):
    """--reload-mercy: who does not end in time is killed; the supervisor ends all the same."""
    court = new_court("--reload-mercy=1", TOLERANCE)
    court.fake("deaf.ini", "no-signal")
    court.fake("ignores.ini", "ignore-stop", "ignore-eof")
    court.fake("a.ini")
    court.wait_start("deaf.ini", "ignores.ini", "a.ini")
    began = time.monotonic()
    assert court.stop() == 0
    assert time.monotonic() - began < 6
    court.wait_for(lambda: not court.processes(), 3, "all gone")


def test_second_term(new_court):
    """A second TERM does no harm: no vassal is told twice."""
    court = new_court()
    court.fake("a.ini")
    court.wait_start("a.ini")
    court.send(signal.SIGTERM)
    assert court.stop() == 0
    assert court.words("a.ini") == ["start", "0", "exit=0"]


def test_killed_supervisor(new_court):
    """kill -9 of the supervisor's main process: no vassal is left alone."""
    court = new_court()
    court.fake("a.ini")
    court.fake("b.ini", "bytes=1,5,17")
    court.wait_start("a.ini", "b.ini")
    court.stop(signal.SIGKILL)
    court.wait_for(lambda: not court.vassals(), 5, "all gone")


def test_graceful_shutdown(new_court):
    """--emperor-graceful-shutdown: byte 2 instead of byte 0, on removal and at the end."""
    court = new_court("--emperor-graceful-shutdown")
    court.fake("a.ini")
    court.fake("b.ini")
    court.wait_start("a.ini", "b.ini")
    court.remove("a.ini")
    court.wait_words("a.ini", ["start", "2", "exit=0"])
    court.stop()
    assert court.words("b.ini") == ["start", "2", "exit=0"]


def test_hup(court):
    """HUP: byte 1 to every vassal."""
    names = [f"{i}.ini" for i in range(6)]
    for name in names:
        court.fake(name)
    court.wait_start(*names)
    court.send(signal.SIGHUP)
    for name in names:
        court.wait_words(name, ["start", "1"])


def test_usr1(court):
    """USR1: a line about each vassal in the log."""
    court.fake("first.ini")
    court.fake("second.ini")
    court.wait_start("first.ini", "second.ini")
    before = len(court.log)
    court.send(signal.SIGUSR1)
    court.wait_for(lambda: all(name in court.log[before:] for name in ("first.ini", "second.ini")), what="both are named")
    assert court.words("first.ini") == ["start"]


@pytest.mark.limit(30)
def test_urg_forgets_the_blacklist(new_court):
    """URG: who waits out a long throttle starts at once."""
    court = new_court("--emperor-throttle=20000")
    court.fake("bad.ini", "exit-at-start=1")
    court.wait_start("bad.ini", count=2)
    court.wait_for(lambda: _still(court, "bad.ini", 0.5), 8, "it waits")
    before = court.starts("bad.ini")
    court.send(signal.SIGURG)
    court.wait_start("bad.ini", count=before + 1, deadline=3)


def _still(court, name, seconds):
    newest = court.history(name)[-1][0]
    return time.monotonic_ns() - newest > seconds * 1e9


def test_winch(new_court):
    """WINCH: looks at the directory now."""
    court = new_court("--emperor-freq=30")
    court.fake("a.ini")
    court.wait_start("a.ini")
    court.fake("b.ini")
    court.send(signal.SIGWINCH)
    court.wait_for(lambda: court.starts("b.ini"), 3, nudge=False)


# ---- rows of the table of differences
@pytest.mark.regent_only("Exit 26 exiles until the config changes; the Emperor's directory scan starts it again")
def test_exile(court):
    """Exit 26: not started again until its config changes; others do not mind."""
    court.fake("a.ini", f"once={court.out}/exiled", "exit-after=26")
    court.wait_words("a.ini", ["start", "exit=26"])
    court.a_while(2.5)
    assert court.words("a.ini") == ["start", "exit=26"]
    court.touch("a.ini")
    court.wait_start("a.ini", count=2)


@pytest.mark.regent_only("What a vassal leaves behind is killed with it")
def test_tree_goes_with_the_vassal(court):
    """Children of a vassal, also in its session, end when the vassal does."""
    court.fake("a.ini", "fork")
    court.wait_for(lambda: "child" in court.words("a.ini"))
    court.remove("a.ini")
    court.wait_for(lambda: not court.vassals(), 5, "nothing is left")
