"""Deaths in the middle of a handover: of the new generation, the old one, the ruler."""
import contextlib
import os
import random
import signal

import pytest

import process
from asking import Later, by_regentctl, result
from load_apps import serve

pytestmark = pytest.mark.regent_only("Handover: a deploy cannot break the site")
LONG = os.environ.get("REGENT_LONG") == "1"


def state(place):
    return place.status().get("state")


def masters(court):
    """Pids of uWSGI's masters: what the keeper started."""
    return sorted(pid for pid in process.children(court.popen.pid) if process.comm(pid) != "regent-ruler" and process.alive(pid))


def kill_ruler(court):
    ruler = court.wait_for(court.ruler, 40, "a ruler")
    os.kill(ruler, signal.SIGKILL)
    court.wait_for(lambda: court.ruler() not in (None, ruler), 40, "a new ruler")


def hangs_at_the_gate(place, version="two"):
    """(answer, fifo) of a reload whose new code has begun its import and does not end it."""
    fifo = place.fifo("import")
    place.code(version, "hangs")
    answer = Later(by_regentctl, place.court, "reload", place.ini)
    place.court.wait_for(lambda: "it hangs" in place.court.log)
    assert state(place) == "renew-starting"
    return answer, fifo


# ---- the generations
def test_new_one_is_killed(new_court):
    """kill -9 of the new master at the gate: 1, killed by SIGKILL, stale; the old one never noticed."""
    place = serve(new_court)
    old = place.status()["pid"]
    with place.load() as load:
        answer, _ = hangs_at_the_gate(place)
        new, = set(masters(place.court)) - {old}
        os.kill(new, signal.SIGKILL)
        found = answer.get()[-1]
        assert (found["status"], found["vassals"][0]["stage"]) == (1, "exit")
        assert "SIGKILL" in found["vassals"][0]["reason"]
        load.stop().assert_served("one")
    assert (place.status()["pid"], place.status()["stale"], state(place)) == (old, True, "ready")


def test_old_one_is_killed(new_court):
    """kill -9 of the old master while new code is at the gate: the code is started in its place, clients wait and are answered."""
    place = serve(new_court)
    old = place.status()["pid"]
    with place.load(rate=40) as load:
        answer, _ = hangs_at_the_gate(place)
        place.code("three")
        os.kill(old, signal.SIGKILL)
        place.says("three")
        assert answer.get()[-1]["status"] == 0
        figures = load.stop()
    assert set(figures["versions"]) == {"one", "three"}
    assert set(figures.bad) <= {"reset", "eof"} and sum(figures.bad.values()) <= 3, figures.words()  # at the workers that died
    place.wait_ready()
    assert not place.status()["stale"]


def test_old_one_is_killed_while_it_retires(new_court):
    """kill -9 of the old master while it finishes its requests: those are lost, nothing else; the answer is 0."""
    place = serve(new_court)
    old = place.status()["pid"]
    with place.load() as load, place.slow() as slow:
        place.code("two")
        answer = Later(result, place.court, "reload", place.ini)
        place.court.wait_for(lambda: state(place) == "retiring")
        os.kill(old, signal.SIGKILL)
        assert answer.get()["status"] == 0
        assert slow.answer.get() in ("ConnectionResetError", "BrokenPipeError")
        load.stop().assert_served("one", "two")


def test_both_are_killed(new_court):
    """kill -9 of both masters: started again; clients wait."""
    place = serve(new_court)
    with place.load(rate=40) as load:
        answer, _ = hangs_at_the_gate(place)
        place.code("three")
        for pid in masters(place.court):
            with contextlib.suppress(ProcessLookupError):  # who was killed first may have taken the other along
                os.kill(pid, signal.SIGKILL)
        place.says("three")
        answer.get()
        figures = load.stop()
    assert set(figures.bad) <= {"reset", "eof"} and sum(figures.bad.values()) <= 3, figures.words()
    place.wait_ready()


# ---- the ruler
def released(fifo):
    """Lets go on who reads from it, if anybody does. False, so that it is done again."""
    with contextlib.suppress(OSError):
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    return False


def dies_in_renew_starting(place):
    answer, fifo = hangs_at_the_gate(place)
    kill_ruler(place.court)
    place.court.wait_for(lambda: state(place) == "renew-starting")
    os.close(place.writer(fifo))
    assert answer.get(40)[-1]["status"] == 0
    place.says("two")


def dies_in_renew_settling(place):
    fifo = place.fifo("health")
    place.code("two", "health hangs")
    answer = Later(by_regentctl, place.court, "reload", place.ini)
    writer = place.writer(fifo)
    kill_ruler(place.court)
    place.court.wait_for(lambda: state(place) == "renew-settling")
    os.close(writer)
    place.court.wait_for(lambda: answer.done or released(fifo), 20, "it is asked again by the new ruler, and then all is well")
    assert answer.get(40)[-1]["status"] == 0
    place.says("two")


def dies_in_retiring(place):
    with place.slow() as slow:
        place.code("two")
        answer = Later(by_regentctl, place.court, "reload", place.ini)
        place.court.wait_for(lambda: state(place) == "retiring")
        kill_ruler(place.court)
        place.court.wait_for(lambda: state(place) == "retiring")
        assert place.get() == (200, "two") and slow.get() == (200, "one")
        assert answer.get(40)[-1]["status"] == 0


@pytest.mark.limit(60)
@pytest.mark.parametrize("dies", [dies_in_renew_starting, dies_in_renew_settling, dies_in_retiring])
def test_ruler_is_killed(new_court, dies):
    """kill -9 of the ruler while the new one starts, is asked for its health, while the old one retires: the next ruler goes on; one execution
    of the code, a true answer, no request fails."""
    place = serve(new_court, regent=("handover = yes", "health = /health") if dies is dies_in_renew_settling else ("handover = yes",))
    with place.load() as load:
        dies(place)
        place.wait_ready()
        load.stop().assert_served("one", "two")
    found = place.status()
    assert (found["cycle"], found["restarts"], found["stale"]) == (2, 0, False)


def test_new_one_dies_without_a_ruler(new_court):
    """The new generation is killed while no ruler lives: the next one says 1, and the old one serves on."""
    place = serve(new_court)
    old = place.status()["pid"]
    with place.load() as load:
        answer, _ = hangs_at_the_gate(place)
        new, = set(masters(place.court)) - {old}
        ruler = place.court.ruler()
        os.kill(ruler, signal.SIGKILL)
        os.kill(new, signal.SIGKILL)
        assert answer.get(40)[-1]["status"] == 1
        load.stop().assert_served("one")
    assert (place.status()["pid"], place.status()["stale"]) == (old, True)


COURTS, EACH = (12, 6) if LONG else (3, 4)  # a ruler that dies young is replaced ever later: many courts, few deaths each


def _handovers_and_deaths(place, dice):
    for number in range(EACH):
        good = dice.random() < 0.6
        before = place.get()
        place.code(f"{number}", "good" if good else "raises")
        answer = Later(by_regentctl, place.court, "reload", place.ini)
        place.court.a_while(dice.random() ** 2 * 1.5)
        os.kill(place.court.wait_for(place.court.ruler, 40, "a ruler"), signal.SIGKILL)
        assert answer.get(60)[-1]["status"] == (0 if good else 1), (number, good)
        assert place.get() == ((200, f"{number}") if good else before)


@pytest.mark.limit(150 if LONG else 60)
def test_ruler_is_killed_at_random(new_court):
    """Kills at random moments of handovers, good and broken: every answer is true, no request fails, nothing broken is seen."""
    places = [serve(new_court, lines=["need-app = true"]) for _ in range(COURTS)]
    running = [place.load(rate=100) for place in places]
    try:
        for later in [Later(_handovers_and_deaths, place, random.Random(number)) for number, place in enumerate(places)]:
            later.get(140)
        for load in running:
            figures = load.stop()
            assert not figures.bad, figures.words()
    finally:
        for load in running:
            load.__exit__()
    for place in places:
        place.wait_ready()
        place.court.wait_for(lambda place=place: len(masters(place.court)) == 1, 10, "one generation is left")
