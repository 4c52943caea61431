"""HUP: all vassals are reloaded, a few at a time, and what came of it is said."""
import os
import signal

import pytest

from asking import wait_state

pytestmark = pytest.mark.regent_only("HUP reloads a few vassals at a time, and says what came of it")
READY_FOR = 0.3


def ready(court, names):
    for name in names:
        wait_state(court, name, "ready")


def test_a_few_at_a_time(new_court):
    """--max-starting=2: no third one gets its byte before one of the first two has passed the gate."""
    court = new_court("--max-starting=2", f"--ready-for={READY_FOR}")
    names = [f"{i}.ini" for i in range(7)]
    for name in names:
        court.fake(name)
    ready(court, names)
    court.send(signal.SIGHUP)
    court.wait_for(lambda: "regent: all vassals reloaded: 7" in court.log, what="the end is said")
    told = sorted(when for name in names for when, _, word in court.history(name) if word == "1")
    assert len(told) == 7
    for first, third in zip(told, told[2:]):
        assert third - first >= READY_FOR * 0.9e9


def test_who_failed_is_named(new_court):
    """One dies of the reload and at each start after it, one is stopped: the others are reloaded, the first is named."""
    court = new_court("--max-starting=1")
    court.fake("bad.ini", "exit-at-start=1", "exit-on-reload=1", f"once={court.out}/first", "exit-at-start=-1")
    names = ["bad.ini", "a.ini", "b.ini", "stopped.ini"]
    for name in names[1:]:
        court.fake(name)
    ready(court, names)
    assert court.regentctl("stop", "stopped.ini").returncode == 0
    court.send(signal.SIGHUP)
    court.wait_for(lambda: "regent: 2 reloaded, 1 down (bad.ini)" in court.log, what="the end is said")
    assert court.words("a.ini") == court.words("b.ini") == ["start", "1"]
    assert "1" not in court.words("stopped.ini")


def test_hup_during_hup(new_court):
    """Newer code for all while the reload is under way: it begins again, and ends once."""
    court = new_court("--max-starting=1", f"--ready-for={READY_FOR}")
    names = ["a.ini", "b.ini", "c.ini"]
    for name in names:
        court.fake(name)
    ready(court, names)
    court.send(signal.SIGHUP)
    court.wait_for(lambda: sum("1" in court.words(name) for name in names) == 2, what="the second is under way")
    court.send(signal.SIGHUP)
    court.wait_for(lambda: "all vassals reloaded: 3" in court.log, what="the end is said")
    assert all(court.words(name)[1:] for name in names)
    assert sum(len(court.words(name)) - 1 for name in names) >= 4
    assert court.log.count("all vassals reloaded") == 1


def test_ruler_dies_in_it(new_court):
    """kill -9 of the ruler after the first reload: the next one reloads all, and says so."""
    court = new_court("--max-starting=1", f"--ready-for={READY_FOR}")
    names = ["a.ini", "b.ini", "c.ini"]
    for name in names:
        court.fake(name)
    ready(court, names)
    court.send(signal.SIGHUP)
    court.wait_for(lambda: any("1" in court.words(name) for name in names), what="the first is under way")
    os.kill(court.wait_for(court.ruler, what="a ruler"), signal.SIGKILL)
    court.wait_for(lambda: "all vassals reloaded: 3" in court.log, what="the end is said")
    assert all("1" in court.words(name) for name in names)
    assert court.log.count("all vassals reloaded") == 1
