"""What an answer means: joining, failing, exit statuses, what stands on stdout and stderr."""
import json
import os
import signal

import pytest

from asking import Later, by_regentctl, result, status_of, wait_state
from site_of_apps import Site

pytestmark = pytest.mark.regent_only("A control socket, regentctl, and an answer to each deploy")


def ready(court, *names, lines=()):
    for name in names:
        court.fake(name, *lines)
    for name in names:
        wait_state(court, name, "ready")


# ---- what runs already, what does not
def stopped(court):
    ready(court, "a.ini")
    assert result(court, "stop", "a.ini")["status"] == 0


def exiled(court):
    court.fake("a.ini", f"once={court.out}/once", "exit-after=26")
    wait_state(court, "a.ini", "exiled")


def blacklisted(court):
    court.fake("a.ini", "exit-at-start=1")
    wait_state(court, "a.ini", "blacklisted")
    court.a_while(0.1)
    _in_place(court, court.text("a.ini", []))


def _in_place(court, text):
    """A config that is repaired without anybody seeing it change: only a request can start it."""
    path = court.vassals_dir / "a.ini"
    old = path.stat()
    with path.open("r+") as f:
        f.write(text)
        f.truncate()
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))


def cursed(court):
    court.fake("a.ini", f"once={court.out}/once", "close-wire")
    wait_state(court, "a.ini", "cursed")


@pytest.mark.parametrize("verb", ["reload", "restart", "start"])
@pytest.mark.parametrize("way", [stopped, exiled, cursed])
def test_starts_at_once(new_court, verb, way):
    """reload, restart and start of a stopped, exiled or cursed vassal start it at once."""
    court = new_court("--emperor-curse-tolerance=30", "--emperor-throttle=60000")
    way(court)
    before = court.starts("a.ini")
    assert result(court, verb, "a.ini")["status"] == 0
    assert court.starts("a.ini") == before + 1
    assert status_of(court, "a.ini")["state"] == "ready"


def test_blacklisted_starts_at_once(new_court):
    """reload of a blacklisted vassal starts it at once, and says what came of it."""
    court = new_court("--emperor-throttle=60000")
    court.fake("a.ini", f"once={court.out}/once", "exit-at-start=1")
    court.fake("b.ini", "exit-at-start=1", "print=no settings")
    court.wait_start("a.ini", count=2)  # the first death has no pause
    wait_state(court, "b.ini", "blacklisted")
    before = court.starts("b.ini")
    found = result(court, "reload", "b.ini")
    assert (found["status"], found["vassals"][0]["stage"]) == (3, "exit")
    assert court.starts("b.ini") > before
    wait_state(court, "b.ini", "blacklisted", "queued")
    (court.out / "b.ini.log").unlink()
    court.fake("b.ini", "delay=1")
    court.wait_start("b.ini", deadline=3)


def test_stopped_stays_stopped(court):
    """Stopped: also over the ruler's death; a changed config starts it."""
    ready(court, "a.ini", "b.ini")
    assert result(court, "stop", "a.ini")["status"] == 0
    ruler = court.ruler()
    os.kill(ruler, signal.SIGKILL)
    court.wait_for(lambda: court.ruler() not in (None, ruler), what="a new ruler")
    wait_state(court, "b.ini", "ready")
    assert status_of(court, "a.ini")["state"] == "stopped"
    court.a_while(0.3)
    assert court.words("a.ini") == ["start", "0", "exit=0"]
    court.touch("a.ini")
    court.wait_start("a.ini", count=2)
    assert court.words("b.ini") == ["start"]


# ---- joining
@pytest.mark.limit(30)
def test_unsent_is_joined(new_court):
    """Byte 1 is not sent yet (its start slot is taken): all who ask meanwhile share one reload."""
    court = new_court("--max-starting=1", "--start-patience=60")
    ready(court, "a.ini")
    court.fake("hung.ini", "no-signal")
    court.wait_start("hung.ini")
    asked = [court.asks("reload a.ini") for _ in range(4)]
    assert [next(reply)["accepted"] for reply in asked] == ["a.ini"] * 4
    assert court.bytes("a.ini") == []
    assert result(court, "status", "a.ini")["vassals"][0]["waiting_for"] == "start slot"
    os.kill(court.pid("hung.ini"), signal.SIGKILL)
    court.remove("hung.ini")
    answers = [list(reply)[-1] for reply in asked]
    assert [(each["status"], each["vassals"][0]["cycle"]) for each in answers] == [(0, 2)] * 4
    assert court.bytes("a.ini") == [1]


def _askers(court, name):
    """Clients of ours that are connected: processes of regentctl."""
    return [pid for pid in court.processes() if f"reload\0{name}" in _cmdline(pid)]


def _cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as f:
            return f.read()
    except OSError:
        return ""


def test_executing_is_not_joined(new_court):
    """Byte 1 is sent: whoever asks then gets exactly one more, however many they are, and its answer."""
    court = new_court("--ready-for=1.5")
    ready(court, "a.ini")
    first = Later(by_regentctl, court, "reload", "a.ini")
    court.wait_words("a.ini", ["start", "1"])
    more = [Later(by_regentctl, court, "reload", "a.ini") for _ in range(4)]
    answers = [each.get()[-1] for each in more]
    assert [(each["status"], each["vassals"][0]["cycle"]) for each in answers] == [(0, 3)] * 4
    assert first.get()[-1]["status"] == 0
    assert court.bytes("a.ini") == [1, 1]


def test_touches_and_requests_together(new_court):
    """A touch during a reload is one reload more, and a request after it joins that."""
    court = new_court("--ready-for=1")
    ready(court, "a.ini")
    first = Later(by_regentctl, court, "reload", "a.ini")
    court.wait_words("a.ini", ["start", "1"])
    court.touch("a.ini")
    second = Later(by_regentctl, court, "reload", "a.ini")
    assert second.get()[-1]["vassals"][0]["cycle"] == 3 and first.get()[-1]["status"] == 0
    court.a_while(0.3)
    assert court.bytes("a.ini") == [1, 1]


def test_asked_twice_with_one_id(court):
    """The same id is the same request, also after its answer."""
    ready(court, "a.ini")
    word = "--id=" + "5a" * 16
    assert result(court, "reload", "a.ini", word)["status"] == 0
    again = result(court, "reload", "a.ini", word)
    assert (again["status"], again["vassals"][0]["name"]) == (0, "a.ini")
    court.a_while(0.2)
    assert court.bytes("a.ini") == [1]


# ---- failures
def test_dies_in_its_reload(court):
    """Exit on byte 1: 3, with the exit's meaning and the last lines."""
    ready(court, "a.ini", lines=["exit-on-reload=22"])
    done = court.regentctl("reload", "a.ini")
    assert done.returncode == 3
    assert "no app could be loaded" in done.stdout.splitlines()[-1]


def test_removed_and_stopped_meanwhile(new_court):
    """A reload whose vassal is stopped, or whose config goes, meanwhile: 3, and why."""
    court = new_court("--ready-for=5")
    court.fake("a.ini")
    court.fake("b.ini")
    court.wait_start("a.ini", "b.ini")
    asked = [Later(by_regentctl, court, "reload", name) for name in ("a.ini", "b.ini")]
    court.wait_for(lambda: len(_askers(court, "a.ini") + _askers(court, "b.ini")) == 2)
    court.wait_words("a.ini", ["start", "1"])
    court.wait_words("b.ini", ["start", "1"])
    assert result(court, "stop", "a.ini")["status"] == 0
    court.remove("b.ini")
    found = [each.get()[-1]["vassals"][0] for each in asked]
    assert [(part["status"], part["stage"]) for part in found] == [(3, "stopped"), (3, "removed")]


@pytest.fixture
def site(new_court):
    return Site(new_court, "--ready-for=1")


@pytest.mark.limit(40)
@pytest.mark.parametrize("lines", [["need-app = true"], []], ids=["need-app", "no-need-app"])
def test_broken_import(site, lines):
    """An app that raises on import, with and without need-app: 3, and its traceback; repaired: 0."""
    court, place = site.court, site.app("a", lines=lines)
    site.says(place, (200, "one"))
    wait_state(court, "a.ini", "ready")
    (place / "app.py").write_text((court.setup.apps / "broken.py").read_text())
    done = court.regentctl("reload", "a")
    assert done.returncode == 3, done
    assert "RuntimeError: the settings are gone" in done.stderr
    assert done.stdout.splitlines()[-1].startswith("a.ini: reload failed and the site is down: ")
    (place / "app.py").write_text((court.setup.apps / "hello.py").read_text())
    (place / "answer").write_text("two")
    done = court.regentctl("reload", "a")
    assert done.returncode == 0, done
    assert site.ask(place) == (200, "two")


@pytest.mark.limit(40)
def test_broken_import_with_a_logger_of_its_own(site):
    """logger = file: takes the words elsewhere: one request finds that it has no app; the answer names the file."""
    court, place = site.court, site.app("a", lines=["plugin = logfile", "logger = file:{place}/app.log"])
    site.says(place, (200, "one"))
    wait_state(court, "a.ini", "ready")
    (place / "app.py").write_text((court.setup.apps / "broken.py").read_text())
    done = court.regentctl("reload", "a")
    assert done.returncode == 3, done
    assert f"{place}/app.log" in done.stdout.splitlines()[-1]
    assert "the settings are gone" in (place / "app.log").read_text()
    assert status_of(court, "a")["state"] == "broken"


# ---- exit statuses and what is printed
def test_exit_statuses(court):
    """0 done, 2 usage and ambiguous, 3 down, 5 unknown, 6 timed out, 7 unreachable."""
    ready(court, "a.ini", "two.ini", "two.yml")
    ready(court, "mute.ini", lines=["reload-bytes="])
    ready(court, "dies.ini", lines=["exit-on-reload=1"])
    for words, status in ((["reload", "a"], 0), (["status"], 0), (["dance"], 2), (["reload"], 2), (["reload", "a", "--all"], 2),
                          (["wait", "a"], 2), (["wait", "a", "--for=rain"], 2), (["--timeout=soon", "status"], 2), ([], 2),
                          (["reload", "two"], 2), (["reload", "dies"], 3), (["reload", "nosuch"], 5), (["status", "nosuch"], 5),
                          (["logs", "nosuch"], 5), (["--timeout=0.3", "reload", "mute"], 6),
                          (["wait", "nosuch", "--for=ready", "--timeout", "0.3"], 6)):
        done = court.regentctl(*words)
        assert done.returncode == status, done
        assert status != 2 or done.stderr
    candidates = court.regentctl("reload", "two").stdout.splitlines()
    assert {"two.ini", "two.yml"} <= set(candidates) and "ambiguous" in candidates[-1]
    assert court.regentctl("--control-socket", f"{court.run}/none", "status").returncode == 7
    assert court.bytes("mute.ini") == [1]


def test_words_on_stdout_and_stderr(court):
    """Progress on stderr; the last line on stdout is the verdict in words; --json: the result object."""
    ready(court, "a.ini")
    done = court.regentctl("reload", "a.ini")
    assert done.stdout.splitlines()[-1].startswith("a.ini: reloaded: the new code accepts requests")
    assert "a.ini: reloading -> settling" in done.stderr and "->" not in done.stdout
    done = court.regentctl("--json", "reload", "a.ini")
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert objects[-1]["result"] == "done" and not any("result" in each for each in objects[:-1])
    done = court.regentctl("status")
    assert "a.ini" in done.stdout and "ready" in done.stdout
    done = court.regentctl("reload", "a.ini", "nosuch")
    assert (done.returncode, len(done.stdout.splitlines())) == (5, 3)


def test_socket_is_found(court):
    """--control-socket before and after the verb; REGENT_SOCKET; the option wins."""
    ready(court, "a.ini")
    ctl = [str(court.setup.regentctl)]
    at = f"--control-socket={court.socket}"
    for words, env in (([at, "list"], {}), (["list", at], {}), (["list"], {"REGENT_SOCKET": str(court.socket)}),
                       (["list", at], {"REGENT_SOCKET": "/nowhere"})):
        done = court.run_there([*ctl, *words], env)
        assert done.returncode == 0 and "a.ini" in done.stdout
    assert court.run_there([*ctl, "list"], {"REGENT_SOCKET": "/nowhere"}).returncode == 7
