"""The real uWSGI with real Python apps."""
import os
import signal

import pytest

from site_of_apps import Site


@pytest.fixture
def site(new_court):
    return Site(new_court)


def test_serves_deploys_and_ends(site):
    """An app serves, a touch brings new code under the same master, a removal ends every process of it."""
    court, place = site.court, site.app("a")
    site.says(place, (200, "one"))
    pn = court.accounts.pn
    assert site.ask(place, "/ids") == (200, f"{pn.uid} {pn.gid} {sorted([pn.gid, court.accounts.extra_gid])}")
    assert site.ask(place, "/env") == (200, "physionet.settings.production")
    worker = site.ask(place, "/pid")[1]
    masters = [pid for pid in court.vassals() if parent(pid) in court.supervisors()]
    (place / "answer").write_text("two")
    court.touch("a.ini")
    site.says(place, (200, "two"))
    assert site.ask(place, "/pid")[1] != worker
    assert [pid for pid in court.vassals() if parent(pid) in court.supervisors()] == masters
    court.remove("a.ini")
    court.wait_for(lambda: not court.vassals(), 8, "all processes of the app end")
    assert site.ask(place) in ("FileNotFoundError", "ConnectionRefusedError")  # vacuum leaves it after a reload


def parent(pid):
    with open(f"/proc/{pid}/stat") as f:
        return int(f.read().rpartition(")")[2].split()[1])


def test_broken_app_beside_a_good_one(site):
    """need-app and a failing import: exits 22 again and again, is throttled, harms nobody; repaired, it serves."""
    court = site.court
    good, bad = site.app("good"), site.app("bad", "broken", lines=["need-app = true"])
    site.says(good, (200, "one"))
    court.wait_for(lambda: court.log.count("the settings are gone") >= 2, what="two attempts")
    assert site.ask(good) == (200, "one")
    (bad / "app.py").write_text((court.setup.apps / "hello.py").read_text())
    court.touch("bad.ini")
    site.says(bad, (200, "one"), deadline=12)


def test_killed_master(site):
    """kill -9 of a master: its workers go too, and a new master serves."""
    court, place = site.court, site.app("a", lines=["no-orphans = true"])
    site.says(place, (200, "one"))
    master = next(pid for pid in court.vassals() if parent(pid) in court.supervisors())
    os.kill(master, signal.SIGKILL)
    court.wait_for(lambda: not os.path.exists(f"/proc/{master}"), what="the old master is gone")
    site.says(place, (200, "one"))


def test_yaml_and_json(site):
    """Real configs in the other languages: uWSGI's own words for them are used, and it runs."""
    court = site.court
    for name, text in (("y.yaml", "uwsgi:\n  chdir: {0}\n  wsgi-file: app.py\n  socket: {0}/socket\n"),
                       ("j.json", '{{"uwsgi": {{"chdir": "{0}", "wsgi-file": "app.py", "socket": "{0}/socket"}}}}\n'),
                       ("x.xml", "<uwsgi><chdir>{0}</chdir><wsgi-file>app.py</wsgi-file><socket>{0}/socket</socket></uwsgi>\n")):
        place = court.base / name[0]
        place.mkdir()
        (place / "answer").write_text(name)
        (place / "app.py").write_text((court.setup.apps / "hello.py").read_text())
        os.chown(place, court.accounts.pn.uid, court.accounts.pn.gid)
        court.write(name, text.format(place))
        site.says(place, (200, name))


def test_sudo_like_programs_work(site):
    """A setuid program inside a vassal gains root: nothing forbids it."""
    court = site.court
    tool = court.base / "tool"
    tool.write_bytes(open("/usr/bin/id", "rb").read())
    tool.chmod(0o4755)
    place = site.app("a", lines=[f"exec-pre-app = {tool} -u > {court.out}/who"])
    site.says(place, (200, "one"))
    assert (court.out / "who").read_text().strip() == "0"
