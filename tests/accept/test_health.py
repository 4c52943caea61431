"""health-interval: whether a site that serves still answers."""
import os
import signal

import pytest

from asking import status_of, wait_state
from site_of_apps import Site

LIVENESS = "A site that hangs is reported, and restarted if asked (health-interval)"
GATE = "Held sockets, where hold-sockets or handover ask for them"
WATCHED = ["[regent]", "health = /", "health-interval = 0.2", "health-timeout = 0.4"]


def asked(place):
    """How many requests found it hanging."""
    return len((place / "asked").read_text()) if (place / "asked").exists() else 0


def hang(court, place):
    (place / "hang").write_text("")
    court.wait_for(lambda: f"[{place.name}.ini] hangs: no answer to / within 0.4 s" in court.log, what="it is reported")


@pytest.mark.regent_only(LIVENESS)
def test_hanging_site_is_reported(new_court):
    """Once for each time, and when it answers again; counted in status; it is left alone."""
    site = Site(new_court)
    court, place = site.court, site.app("a", "hangs", lines=WATCHED)
    wait_state(court, "a.ini", "ready")
    pid = status_of(court, "a.ini")["pid"]
    hang(court, place)
    (place / "hang").unlink()
    court.wait_for(lambda: "[a.ini] answers again" in court.log, what="it answers again")
    assert court.log.count("hangs: ") == 1
    assert status_of(court, "a.ini")["unhealthy"] == 1
    assert status_of(court, "a.ini")["pid"] == pid and status_of(court, "a.ini")["state"] == "ready"


@pytest.mark.regent_only(LIVENESS)
def test_hanging_site_is_restarted(new_court):
    """health-restart = yes, over a death of the ruler too: the next one looks, though nothing has changed."""
    site = Site(new_court)
    court, place = site.court, site.app("a", "hangs", lines=[*WATCHED, "health-restart = yes"])
    wait_state(court, "a.ini", "ready")
    old = status_of(court, "a.ini")["pid"]
    ruler = court.ruler()
    os.kill(ruler, signal.SIGKILL)
    court.wait_for(lambda: court.ruler() not in (None, ruler), what="a new ruler")
    hang(court, place)
    (place / "hang").unlink()
    court.wait_for(lambda: status_of(court, "a.ini").get("pid") not in (0, old), what="another pid")
    wait_state(court, "a.ini", "ready")
    assert site.ask(place) == (200, "alive")


@pytest.mark.regent_only(GATE)
@pytest.mark.limit(60)
def test_new_ruler_asks_again(new_court):
    """The ruler dies while the new code is asked for its health: the next one asks again, over the private socket; nothing is lost."""
    site = Site(new_court)
    court, place = site.court, site.app("a", "hangs", lines=["[regent]", "handover = yes", "health = /", "health-timeout = 20"])
    wait_state(court, "a.ini", "ready")
    old, ruler = status_of(court, "a.ini")["pid"], court.ruler()
    (place / "hang").write_text("")
    court.touch("a.ini")
    wait_state(court, "a.ini", "renew-settling")
    court.wait_for(lambda: asked(place) == 1, what="the new one is asked")
    os.kill(ruler, signal.SIGKILL)
    court.wait_for(lambda: court.ruler() not in (None, ruler), what="a new ruler")
    court.wait_for(lambda: asked(place) == 2, what="the new ruler asks")
    (place / "hang").unlink()
    court.wait_for(lambda: "[a.ini] has handed over" in court.log, what="it has handed over")
    found = status_of(court, "a.ini")
    assert found["pid"] not in (0, old) and not found["stale"] and found["state"] == "ready"
    assert site.ask(place) == (200, "alive")


@pytest.mark.regent_only(GATE)
def test_expected_status(new_court):
    """health-status = 301: that is what passes the gate, and 200 does not."""
    site = Site(new_court)
    court, place = site.court, site.app("a", "status", "200 OK", lines=["[regent]", "health = /", "health-status = 301"])
    wait_state(court, "a.ini", "broken")
    assert "its answer to a request was 200" in status_of(court, "a.ini")["last_failure"]["reason"]
    (place / "answer").write_text("301 Moved Permanently")
    court.touch("a.ini")
    wait_state(court, "a.ini", "ready")
