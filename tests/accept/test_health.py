"""health-interval: whether a site that serves still answers."""
import os
import signal

import pytest

from asking import status_of, wait_state
from site_of_apps import Site

pytestmark = pytest.mark.regent_only("A site that hangs is reported, and restarted if asked (health-interval)")
WATCHED = ["[regent]", "health = /", "health-interval = 0.2", "health-timeout = 0.4"]


def hang(court, place):
    (place / "hang").write_text("")
    court.wait_for(lambda: f"[{place.name}.ini] hangs: no answer to / within 0.4 s" in court.log, what="it is reported")


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
