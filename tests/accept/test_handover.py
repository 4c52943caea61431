"""Handover: every reload, however it is asked for, starts the new code beside the old; no client notices."""
import os
import signal

import pytest

import asking
from asking import Later, by_regentctl, by_socket, result
from load_apps import serve

pytestmark = pytest.mark.regent_only("Handover: a deploy cannot break the site")


def transitions(court, name):
    """[(from, to)] in order."""
    return [(event["from"], event["to"]) for event in asking.by_socket(court, "events", name) if "event" in event]


# ---- every way of asking
def by_the_socket(place):
    return by_socket(place.court, "reload", place.ini)[-1]["status"]


def by_the_client(place):
    return by_regentctl(place.court, "reload", place.ini)[-1]["status"]


def for_all(place):
    return by_regentctl(place.court, "reload", "--all")[-1]["status"]


def by_touch(place):
    place.court.touch(place.ini)


def by_link(place):
    """To a copy, so that it is another file, as a release is."""
    path = place.court.vassals_dir / place.ini
    copy = place.court.work / "release.ini"
    copy.write_text(path.read_text())
    place.court.link(place.ini, copy)


def by_hup(place):
    place.court.send(signal.SIGHUP)


WAYS = (by_the_socket, by_the_client, for_all, by_touch, by_link, by_hup)


@pytest.mark.limit(60)
def test_every_way_of_asking(new_court):
    """Control socket, regentctl, --all, touch, a changed link, HUP: each is a handover; the answer comes when the old one is gone."""
    place = serve(new_court)
    court, masters = place.court, [place.status()["pid"]]
    with place.load() as load:
        for way in WAYS:
            place.code(way.__name__)
            answer = way(place)
            assert answer in (0, None), way
            place.says(way.__name__)
            place.wait_ready()
            masters.append(place.status()["pid"])
            assert masters[-1] not in masters[:-1], f"{way}: in place"
            assert masters[-2] not in court.vassals()
        load.stop().assert_served("one", *(way.__name__ for way in WAYS))
    found = place.status()
    assert (found["restarts"], found["stale"]) == (0, False)
    assert transitions(court, place.ini)[-5:] == [
        ("renew-spawning", "renew-starting"), ("renew-starting", "renew-settling"),
        ("renew-settling", "switching"), ("switching", "retiring"), ("retiring", "ready")]


# ---- requests under way
def test_slow_request(new_court):
    """A request under way is finished by the old code; new ones do not wait for it, the answer to the deploy does."""
    place = serve(new_court)
    with place.load() as load, place.slow() as slow:
        place.code("two")
        answer = Later(result, place.court, "reload", place.ini)
        place.says("two")
        place.court.wait_for(lambda: place.status()["state"] == "retiring")
        place.court.a_while(0.3)
        assert slow.under_way and not answer.done
        assert slow.get() == (200, "one")
        assert answer.get()["status"] == 0
        load.stop().assert_served("one", "two")


def test_retire_mercy(new_court):
    """A request that does not end: retire-mercy after the switch the old tree is killed; nobody else notices."""
    place = serve(new_court, regent=("handover = yes", "retire-mercy = 1"))
    with place.load() as load, place.slow() as slow:
        place.code("two")
        assert result(place.court, "reload", place.ini)["status"] == 0
        assert slow.answer.get() in ("ConnectionResetError", "BrokenPipeError")
        load.stop().assert_served("one", "two")


def test_health(new_court):
    """health: the new code is asked, and clients do not meet it before it has answered."""
    place = serve(new_court, regent=("handover = yes", "health = /health", "health-host = www.example.org"))
    fifo = place.fifo("health")
    with place.load() as load:
        place.code("two", "health hangs")
        answer = Later(result, place.court, "reload", place.ini)
        writer = place.writer(fifo)
        assert place.status()["state"] == "renew-settling"
        place.court.a_while(0.3)
        assert set(load.figures()["versions"]) == {"one"} and not answer.done
        os.close(writer)
        assert answer.get()["status"] == 0
        place.says("two")
        load.stop().assert_served("one", "two")
    assert place.court.log.count("asked for its health as https www.example.org") == 2


# ---- more than one
def test_one_more_follows(new_court):
    """Asked again while new code is being tried: that is judged, and then there is exactly one more, however many asked."""
    place = serve(new_court)
    fifo = place.fifo("import")
    with place.load() as load:
        place.code("two", "hangs")
        first = Later(result, place.court, "reload", place.ini)
        place.court.wait_for(lambda: place.status()["state"] == "renew-starting")
        writer = place.writer(fifo)
        place.code("three")
        later = [Later(result, place.court, "reload", place.ini) for _ in range(3)]
        place.court.a_while(0.3)
        assert not first.done and not any(answer.done for answer in later)
        os.close(writer)
        assert first.get()["status"] == 0
        assert [answer.get()["status"] for answer in later] == [0, 0, 0]
        figures = load.stop()
    figures.assert_served("one", "two", "three")
    assert set(figures["versions"]) == {"one", "two", "three"}
    assert place.status()["cycle"] == 3


def test_stopped_and_removed_meanwhile(new_court):
    """stop, or a removed config, while new code is being tried: both generations end; who asked for the reload is told."""
    for how in ("stop", "remove"):
        place = serve(new_court)
        place.fifo("import")
        place.code("two", "hangs")
        answer = Later(result, place.court, "reload", place.ini)
        place.court.wait_for(lambda place=place: "it hangs" in place.court.log)  # it has read its config
        if how == "stop":
            assert result(place.court, "stop", place.ini)["status"] == 0
        else:
            place.court.remove(place.ini)
        assert answer.get()["status"] == 3
        place.court.wait_for(lambda place=place: not place.court.vassals(), 10, "all of it is gone")
