"""reload --all, and SIGHUP: many vassals, some of them broken."""
import signal

import pytest

from asking import by_regentctl, result
from load_apps import NEED_APP, Place, site

pytestmark = pytest.mark.regent_only("Handover: a deploy cannot break the site")

MANY = 200
BROKEN = ("v017.ini", "v123.ini")


def held(court, name, *lines):
    """A fake vassal with a socket of its own, which is held for it."""
    court.deaf |= "ignore-stop" in lines
    text = court.text(name, lines) + f"socket = {court.out}/{name}.socket\n[regent]\nhandover = yes\n"
    return court.write(name, text)


def states(court):
    return {vassal["name"]: (vassal["state"], vassal["stale"]) for vassal in result(court, "status")["vassals"]}


@pytest.mark.limit(60)
def test_two_hundred(new_court):
    """200 vassals, two of them broken: the rest is renewed, the two are stale and named, status 1; --stop-on-failure leaves the rest alone."""
    court = new_court("--max-starting=0")
    names = [f"v{number:03}.ini" for number in range(MANY)]
    for name in names:
        held(court, name)
    court.wait_for(lambda: list(states(court).values()) == [("ready", False)] * MANY, 30, "all are ready")
    pids = {name: court.pid(name) for name in names}
    for name in BROKEN:
        path = court.vassals_dir / name
        path.write_text(path.read_text().replace("[uwsgi]\n", "[uwsgi]\n;fake exit-at-start=1\n"))
    court.wait_for(lambda: [states(court)[name] for name in BROKEN] == [("ready", True)] * 2, 10, "the two are stale")
    done = court.regentctl("reload", "--all", "--parallel", "20")
    assert done.returncode == 1, done
    for name in BROKEN:
        assert name in done.stdout + done.stderr
    found = states(court)
    assert {name for name in names if found[name] != ("ready", False)} == set(BROKEN)
    assert {name for name in names if court.pid(name) == pids[name]} <= set(BROKEN)
    assert {name for name in names if court.starts(name) != 2} <= set(BROKEN)
    stopped = court.regentctl("reload", "--all", "--parallel", "4", "--stop-on-failure")
    assert stopped.returncode == 1 and sum(court.starts(name) == 3 for name in names) < MANY - 2


@pytest.mark.limit(40)
@pytest.mark.parametrize("ask", ["all", "hup"])
def test_a_handful(new_court, ask):
    """Five real sites, one of them broken, in both ways: four are renewed, one is stale, no request fails at any."""
    court, _ = site(new_court, name="unused")
    places = [Place(court, f"site{number}") for number in range(5)]
    for place in places:
        place.code("one")
        place.config(NEED_APP)
    for place in places:
        place.says("one")
        place.wait_ready()
    running = [place.load(rate=60) for place in places]
    try:
        for number, place in enumerate(places):
            place.code("two", "raises" if number == 2 else "good")
        if ask == "all":
            found = by_regentctl(court, "reload", "--all", "--parallel", "2")[-1]
            assert found["status"] == 1
            assert {part["name"]: part["status"] for part in found["vassals"]} == {f"site{n}.ini": int(n == 2) for n in range(5)}
        else:
            court.send(signal.SIGHUP)
            court.wait_for(lambda: all(place.status()["cycle"] == 2 and place.status()["state"] == "ready" for place in places), 20)
            court.wait_for(lambda: "4 reloaded, 1 stale (site2.ini)" in court.log, 10, "the summary in the log")
        for number, (place, load) in enumerate(zip(places, running)):
            load.stop().assert_served("one", *(["two"] if number != 2 else []))
            assert place.status()["stale"] == (number == 2)
    finally:
        for load in running:
            load.__exit__()
