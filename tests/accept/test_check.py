"""What a config means for its deploys (check), other code tried beside a vassal (rehearse), and what a request for many looks like."""
import json
import os
import pty
import select
import subprocess

import pytest

from asking import WAYS, by_socket, result, status_of, wait_state
from site_of_apps import Site
from test_control import ready

pytestmark = pytest.mark.regent_only("Held sockets and handover: a deploy cannot break the site")

SOCKETS = "socket = {0}/a.sock\nhttp-socket = 127.0.0.1:8099\nchmod-socket = 664\n"


@pytest.fixture(params=sorted(WAYS))
def say(request):
    return WAYS[request.param]


def config(court, name, *own, uwsgi=SOCKETS, directory=None):
    text = court.text(name, []) + "\n[uwsgi]\nmodule = app\n" + uwsgi.format(court.base) + "\n[regent]\n" + "\n".join(own) + "\n"
    return court.write(name, text, directory)


def check(court, *words, status=0):
    done = court.regentctl("--json", "check", *map(str, words))
    assert done.returncode == status and (status or not done.stderr), done
    return json.loads(done.stdout)


# ---- check
def test_check_of_a_name_and_of_a_file(new_court):
    """NAME, read by regent, and FILE, read by regentctl, give one report: what is held, what a reload does, whose words decide."""
    court = new_court("--hold-sockets", "--drain=0.25")
    config(court, "a.ini", "reload-on-change = no", "health = /up", "health-timeout = 3")
    name, file = check(court, "a"), check(court, court.vassals_dir / "a.ini")
    assert name["report"] == file["report"]
    assert name["now"]["stale"] is False and file["now"] is None
    hold, handover = name["report"]["hold"], name["report"]["handover"]
    assert (hold["held"], hold["by"]) == (True, "the command line")
    assert hold["addresses"] == [f"{court.base}/a.sock", "127.0.0.1:8099"] and "mode=664" in hold["options"].split()
    assert (handover["wanted"], handover["by"], handover["reload"], handover["drain"]) == ("no", "the default", "in-place", 0.25)
    assert name["report"]["health"]["timeout"] == 3
    assert not name["report"]["reload_on_change"]
    assert name["report"]["ready"]["byte"] == 5
    text = court.regentctl("check", "a.ini")
    assert text.returncode == 0 and text.stdout.splitlines()[-1] == "a.ini: a reload is in place; its sockets are held"


@pytest.mark.parametrize("own, uwsgi, status, means", [
    (["handover = yes"], SOCKETS, 0, "handover"),
    (["handover = yes"], SOCKETS + "stats = {0}/stats\n", 1, "paused"),
    (["handover = force"], SOCKETS + "stats = {0}/stats\n", 0, "handover"),
    (["handover = yes"], "socket = @abstract\n", 1, "paused"),
    (["hold-sockets = yes"], "socket = @abstract\n", 1, "in-place"),
    ([], "socket = @abstract\n", 0, "in-place")], ids=["can", "no-double", "forced", "no-hold", "hold-only", "unasked"])
def test_check_says_what_cannot_be(court, own, uwsgi, status, means):
    """Exit status 1 where the ini asks for what cannot be, with the line that is in the way; 0 where it is as asked."""
    found = check(court, config(court, "x.ini", *own, uwsgi=uwsgi, directory=court.work), status=status)
    assert found["report"]["handover"]["reload"] == means
    assert ("line " in found["text"]) == (status == 1)


def test_check_of_what_cannot_be_read(court):
    """Exit status 2: no such file, a directory, what is no ini; 5: no such vassal, and no file of that name either."""
    (court.work / "bad.ini").write_text("[uwsgi]\nmodule = a\0b\n")
    for words, status in ((["/nowhere/x.ini"], 2), ([f"{court.work}/bad.ini"], 2), ([f"{court.work}/"], 2), (["nosuch.ini"], 5), ([], 2), (["a", "b"], 2)):
        done = court.regentctl("check", *words)
        assert done.returncode == status, done
    assert "line 2" in court.regentctl("check", f"{court.work}/bad.ini").stdout


def test_check_without_a_regent(court):
    """A file can be judged where no regent runs: by the defaults, and it says so."""
    path = config(court, "x.ini", "handover = yes", directory=court.work)
    done = court.run_there([str(court.setup.regentctl), "--control-socket=/nowhere", "check", path.name, "--json"], cwd=path.parent)
    assert done.returncode == 0, done
    hold = json.loads(done.stdout)["report"]["hold"]
    assert (hold["by"], hold["held"]) == ("its ini", True)


def test_check_of_a_private_config(new_court):
    """A config that only its owner may read: by name with the vassal's rights, by file with the caller's."""
    court = new_court("--emperor-tyrant", uid=False)
    path = config(court, "a.ini", "handover = yes", directory=court.work)
    pn, www = court.accounts.pn, court.accounts.www
    os.chown(path, pn.uid, pn.gid)
    path.chmod(0o600)
    path = path.rename(court.vassals_dir / "a.ini")
    court.wait_for(lambda: result(court, "status", "a")["status"] == 0)
    assert check(court, "a")["report"]["hold"]["held"]
    assert court.regentctl_as(pn, "check", "a").returncode == 0
    assert court.regentctl_as(pn, "check", path).returncode == 0
    assert court.regentctl_as(www, "check", "a").returncode in (4, 5)
    refused = court.regentctl_as(www, "check", path)
    assert refused.returncode == 2 and "Permission denied" in refused.stdout


def test_check_follows_what_is_pulled_in(court):
    """include and inherit are read: by name with the vassal's rights, by file and by --check with the caller's."""
    pn, www = court.accounts.pn, court.accounts.www
    private = court.work / "private.ini"
    private.write_text("[uwsgi]\nstats = 127.0.0.1:9191\n")
    os.chown(private, pn.uid, pn.gid)
    private.chmod(0o600)
    path = config(court, "a.ini", "handover = yes", uwsgi=SOCKETS + f"include = {private}\n")
    court.wait_for(lambda: result(court, "status", "a")["status"] == 0)
    for found in (check(court, "a", status=1), check(court, path, status=1)):
        assert found["report"]["handover"]["reload"] == "paused" and str(private) in found["report"]["handover"]["why_in_place"]
    os.chown(path, www.uid, www.gid)  # who cannot read the other one is told that it is not known
    unknown = court.regentctl_as(www, "check", path)
    assert unknown.returncode == 1 and str(private) in unknown.stdout and "unsure" in unknown.stdout
    done = court.run_there([str(court.setup.regent), "--check", "--emperor", str(court.vassals_dir), "--uid", pn.name])
    assert done.returncode == 2 and str(private) in done.stdout


# ---- rehearse
def test_rehearse_needs_a_held_vassal(court):
    """Not held, not running, not there, no such kind of file: nothing is rehearsed, and the reason is said."""
    ready(court, "a.ini")
    assert result(court, "reload", "a.ini")["status"] == 0
    other = court.fake("a.ini", directory=court.work)
    found = court.regentctl("rehearse", other.name, cwd=other.parent)
    assert (found.returncode, found.stdout.splitlines()[-1]) == (
        3, "a.ini: nothing was rehearsed: it does not run, or regent does not hold its sockets"), found
    assert court.regentctl("rehearse", other, "--as", "nosuch").returncode == 5
    assert court.regentctl("rehearse", other, "--as").returncode == 2
    assert court.regentctl("rehearse", f"{other}.bak", "--as=a").returncode == 2
    assert result(court, "rehearse", "a", "relative.ini")["status"] == 2
    assert court.bytes("a.ini") == [1] and court.starts("a.ini") == 1


@pytest.fixture
def site(new_court):
    """A real site that hands over, ready."""
    site = Site(new_court, "--ready-for=0.1")
    site.place = site.app("a", lines=["need-app = true", "[regent]", "handover = yes", "health = /"])
    wait_state(site.court, "a.ini", "ready")
    return site


def broken(site):
    return (site.court.setup.apps / "broken.py").read_text()


@pytest.mark.limit(40)
def test_rehearse(site):
    """Another checkout is started beside the site and judged: 0 or 1, with its last lines; the site serves as before and is not stale."""
    court, pid = site.court, status_of(site.court, "a")["pid"]
    other = court.base / "next"
    other.mkdir()
    (other / "app.py").write_text((court.setup.apps / "hello.py").read_text())
    (other / "answer").write_text("two")
    (other / "a.ini").write_text((court.vassals_dir / "a.ini").read_text().replace(f"chdir = {site.place}", f"chdir = {other}"))
    done = court.regentctl("rehearse", "a.ini", cwd=other)
    assert done.returncode == 0 and done.stdout.splitlines()[-1].startswith("a.ini: passed the rehearsal ("), done
    assert site.ask(site.place) == (200, "one")
    assert "a.ini: renew-settling -> abandoning" in on_a_terminal(court, "rehearse", str(other / "a.ini"))[1]  # of one, each step is told
    (other / "app.py").write_text(broken(site))
    done = court.regentctl("rehearse", other / "a.ini", "--as", "a")
    assert done.returncode == 1, done
    assert done.stdout.splitlines()[-1] == "a.ini: the rehearsal failed, nothing was changed: exited 22: no app could be loaded"
    assert "a.ini: rehearse failed at stage exit: exited 22: no app could be loaded; nothing was changed" in done.stderr.splitlines()
    assert "    RuntimeError: the settings are gone" in done.stderr.splitlines()
    found = status_of(court, "a")
    assert (found["state"], found["pid"], found["stale"], found["beside"], found["reloads"]) == ("ready", pid, False, None, 0)
    assert result(court, "status", "--check")["status"] == 0
    assert not any(event.get("stale") for event in by_socket(court, "events", "a"))
    (other / "a.ini").unlink()
    assert court.regentctl("rehearse", other / "a.ini").returncode == 1
    assert site.ask(site.place) == (200, "one")


@pytest.mark.limit(40)
def test_stale_is_seen(site):
    """The old code serves on: in the verdict, in status (text, JSON, --check) and in events, until newer code passes."""
    court = site.court
    (site.place / "app.py").write_text(broken(site))
    done = court.regentctl("reload", "a")
    assert done.returncode == 1, done
    assert done.stdout.splitlines()[-1] == "a.ini: reload failed, the old code serves on: exited 22: no app could be loaded"
    assert "a.ini: reload failed at stage exit: exited 22: no app could be loaded; the old code serves on" in done.stderr.splitlines()
    assert site.ask(site.place) == (200, "one")
    found = status_of(court, "a")
    assert (found["state"], found["stale"], found["held"], found["last_failure"]["stage"]) == ("ready", True, True, "exit")
    shown = court.regentctl("status")
    assert "stale: serves older code; exited 22: no app could be loaded" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "1 vassal: 1 ready; 1 stale: serves older code"
    assert court.regentctl("status", "--check").returncode == court.regentctl("status", "a", "--check").returncode == 1
    assert "  ready, stale  " in court.regentctl("events", "a").stdout.splitlines()[-2]
    (site.place / "app.py").write_text((court.setup.apps / "hello.py").read_text())
    (site.place / "answer").write_text("two")
    assert court.regentctl("reload", "a").returncode == 0
    assert site.ask(site.place) == (200, "two")
    assert not status_of(court, "a")["stale"] and "stale" not in court.regentctl("status").stdout


# ---- a request for many
def on_a_terminal(court, *words):
    """(exit status, all that a terminal was shown)."""
    master, slave = pty.openpty()
    try:
        popen = subprocess.Popen([str(court.setup.regentctl), "--control-socket", str(court.socket), *words], stdin=slave, stdout=slave,
                                 stderr=slave)
        os.close(slave)
        shown = b""
        while select.select([master], [], [], 20)[0]:
            try:
                shown += (piece := os.read(master, 65536))
            except OSError:  # its last reader has gone
                break
            if not piece:
                break
        return popen.wait(20), shown.decode().replace("\r\n", "\n")
    finally:
        os.close(master)


def test_many_on_a_terminal(court):
    """One line rewritten as vassals are done, then a table and the verdict; elsewhere a line a vassal and the verdict."""
    names = [f"v{i}.ini" for i in range(4)]
    ready(court, *names)
    ready(court, "dies.ini", lines=["exit-on-reload=22", "print=a last word"])
    status, shown = on_a_terminal(court, "reload", "--all", "--parallel", "2")
    assert status == 3, shown
    assert "\r\033[K4 of 5 done, 1 failed" in shown and "->" not in shown
    lines = shown.splitlines()
    assert lines[-1] == "reload: 4 of 5 done; down: dies.ini"
    head = next(i for i, line in enumerate(lines) if line.split() == ["NAME", "RESULT", "MS", "STAGE", "REASON"])
    table = {line.split()[0]: line.split()[1:] for line in lines[head + 1:-1]}
    assert sorted(table) == sorted([*names, "dies.ini"])
    assert all(table[name][0] == "done" and table[name][2] == "-" for name in names)
    assert table["dies.ini"][0] == "down" and table["dies.ini"][2] == "exit"
    wait_state(court, "dies.ini", "ready")
    done = court.regentctl("reload", "--all")
    assert done.returncode == 3 and "\033" not in done.stdout + done.stderr
    assert sorted(line.split(":")[0] for line in done.stdout.splitlines()[:-1]) == sorted([*names, "dies.ini"])
    assert done.stdout.splitlines()[-1] == "reload: 4 of 5 done; down: dies.ini"


def test_a_failure_in_words(court):
    """Stage, reason, what serves now, and the last lines, indented: on stderr; the verdict is the last line of stdout."""
    court.fake("a.ini", "print=a last word", "exit-at-start=22")
    wait_state(court, "a.ini", "blacklisted")
    done = court.regentctl("reload", "a.ini")
    lines = done.stderr.splitlines()
    at = lines.index("a.ini: reload failed at stage exit: exited 22: no app could be loaded; it is down")
    assert lines[at + 1] == "    a last word"
    assert done.stdout.splitlines()[-1] == "a.ini: reload failed and the site is down: exited 22: no app could be loaded"


def test_version_tells_the_defaults(new_court, say):
    """What the command line says of handovers, for who judges a file."""
    court = new_court("--handover=force", "--retire-mercy=7")
    defaults = say(court, "version")[-1]["defaults"]
    assert (defaults["handover"], defaults["hold_sockets"], defaults["retire_mercy_ms"]) == ("force", False, 7000)
