"""Vassals of which there must not be two: they reload in place, with their workers paused first; unless they are told to be forced."""
import contextlib

import pytest

from asking import Later, result
from load import free_port
from load_apps import Place, preload, serve, site

pytestmark = pytest.mark.regent_only("Handover: a deploy cannot break the site")


def pidfile():
    return "safe-pidfile = {place}/pid"


def stats():
    return f"stats = 127.0.0.1:{free_port()}"


def mule():
    return "mule = true"


def abstract():
    return "socket = @regent-test-{place}"


REASONS = {pidfile: "pidfile", stats: "stats", mule: "mule"}


@pytest.mark.limit(40)
def test_reloads_in_place(new_court):
    """stats, pidfile, mules, an abstract socket: the same master runs the new code; no request fails; check says why."""
    court, _ = site(new_court, name="unused")
    places = {line: Place(court, line.__name__) for line in (*REASONS, abstract)}
    for line, place in places.items():
        place.code("one")
        place.config(line())
    for line, place in places.items():
        place.says("one")
        place.wait_ready()
    pids = {line: place.status()["pid"] for line, place in places.items()}
    for later in [Later(_in_place, line, place) for line, place in places.items()]:
        later.get(30)
    assert pids == {line: place.status()["pid"] for line, place in places.items()}


def _in_place(line, place):
    with place.load(rate=40) as load:  # what comes during a second of silence fits into the backlog
        place.code("two")
        assert result(place.court, "reload", place.ini)["status"] == 0
        place.says("two")
        load.stop().assert_served("one", "two")
    said = place.court.regentctl("check", place.ini)
    assert "in place" in said.stdout and REASONS.get(line, "abstract") in said.stdout, said


def test_broken_in_place(new_court):
    """In place there is no way back: broken code is down, and said to be."""
    place = serve(new_court, lines=["need-app = true", pidfile()])
    place.code("broken", "raises")
    found = result(place.court, "reload", place.ini)
    assert (found["status"], found["vassals"][0]["stage"]) == (3, "exit")
    assert "the settings are gone" in found["vassals"][0]["last_lines"]
    assert not place.status()["stale"]


def test_force(new_court):
    """handover = force: two for a moment, although there is a mule."""
    place = serve(new_court, lines=[mule()], regent=("handover = force",))
    before = place.status()["pid"]
    with place.load() as load:
        place.code("two")
        assert result(place.court, "reload", place.ini)["status"] == 0
        place.says("two")
        load.stop().assert_served("one", "two")
    assert place.status()["pid"] != before


SITES, EACH = 10, 2


@pytest.mark.limit(60)
def test_slow_accept_in_place(new_court):
    """20 reloads in place, each client noticed 3 ms after it was accepted: the pause of the workers keeps them all."""
    court, _ = site(new_court, "--max-starting=0", name="unused", start=False)
    preload(court, court.setup.slow_accept)
    court.start()
    places = [Place(court, f"site{number}") for number in range(SITES)]
    for place in places:
        place.code("0")
        place.config(pidfile())
    with contextlib.ExitStack() as stack:
        for place in places:
            place.says("0")
            place.wait_ready()
        running = [stack.enter_context(place.load(rate=60)) for place in places]
        for later in [Later(_reloads, place) for place in places]:
            later.get(50)
        for load in running:
            load.stop().assert_served(*map(str, range(EACH + 1)))


def _reloads(place):
    for number in range(EACH):
        place.code(str(number + 1))
        assert result(place.court, "reload", place.ini)["status"] == 0
        assert place.get() == (200, str(number + 1))
