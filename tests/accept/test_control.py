"""The control socket: every verb, by regentctl and by hand."""
import os
import signal
import socket

import pytest

from asking import WAYS, Later, by_socket, result, status_of, wait_state

pytestmark = pytest.mark.regent_only("A control socket, regentctl, and an answer to each deploy")


@pytest.fixture(params=sorted(WAYS))
def say(request):
    """say(court, word...): the objects of the reply, by regentctl or over the bare socket."""
    return WAYS[request.param]


def ready(court, *names, **lines):
    for name in names:
        court.fake(name, *lines.get("lines", ()))
    for name in names:
        wait_state(court, name, "ready")


# ---- verbs
def test_status_and_list(court, say):
    """status, status NAME, list: states, pids, users; --check tells how it is."""
    ready(court, "a.ini", "b.ini")
    pn = court.accounts.pn.uid
    found = say(court, "status")[-1]
    assert (found["result"], found["status"]) == ("done", 0)
    for vassal in found["vassals"]:
        assert (vassal["state"], vassal["wanted"], vassal["uid"], vassal["cycle"]) == ("ready", "run", pn, 1)
        assert vassal["pid"] == court.pid(vassal["name"])
    assert sorted(vassal["name"] for vassal in found["vassals"]) == ["a.ini", "b.ini"]
    assert [vassal["name"] for vassal in say(court, "status", "a")[-1]["vassals"]] == ["a.ini"]
    assert sorted((vassal["name"], vassal["state"]) for vassal in say(court, "list")[-1]["vassals"]) == [
        ("a.ini", "ready"), ("b.ini", "ready")]
    assert say(court, "status", "--check")[-1]["status"] == 0
    court.fake("bad.ini", "exit-at-start=1")
    wait_state(court, "bad.ini", "blacklisted")
    assert say(court, "status", "--check")[-1]["status"] == 1
    assert say(court, "status", "bad", "--check")[-1]["status"] == 3
    assert say(court, "status", "a.ini", "--check")[-1]["status"] == 0


def test_reload(court, say):
    """reload NAME..., --all: one byte 1 each, and the answer when the new code is ready."""
    ready(court, "a.ini", "b.ini")
    objects = say(court, "reload", "a.ini")
    assert objects[0]["accepted"] == "a.ini" and len(objects[0]["id"]) == 32
    assert [(step["from"], step["to"]) for step in objects[1:-1]] == [
        ("ready", "reload-queued"), ("reload-queued", "reloading"), ("reloading", "settling"), ("settling", "ready")]
    part = objects[-1]["vassals"][0]
    assert (objects[-1]["result"], part["name"], part["status"], part["cycle"]) == ("done", "a.ini", 0, 2)
    assert (court.bytes("a.ini"), court.bytes("b.ini")) == ([1], [])
    assert say(court, "reload", "a", "b")[-1]["status"] == 0
    assert say(court, "reload", "--all")[-1]["status"] == 0
    assert (court.bytes("a.ini"), court.bytes("b.ini")) == ([1, 1, 1], [1, 1])
    assert status_of(court, "a.ini")["reloads"] == 3


def test_restart(court, say):
    """restart: byte 0, a new process, and the answer when that is ready."""
    ready(court, "a.ini")
    first = court.pid("a.ini")
    assert say(court, "restart", "a.ini")[-1]["status"] == 0
    assert court.words("a.ini") == ["start", "0", "exit=0", "start"]
    assert status_of(court, "a.ini")["pid"] == court.pid("a.ini") != first


def test_stop_and_start(court, say):
    """stop: answered when it is gone; it stays so; start: answered when it is ready."""
    ready(court, "a.ini", "b.ini")
    pid = court.pid("a.ini")
    assert say(court, "stop", "a.ini")[-1]["status"] == 0
    assert not os.path.exists(f"/proc/{pid}")
    assert (status_of(court, "a.ini")["state"], status_of(court, "a.ini")["wanted"]) == ("stopped", "stop")
    assert say(court, "stop", "a.ini")[-1]["status"] == 0
    assert say(court, "reload", "--all")[-1]["status"] == 0  # not of what was stopped
    assert say(court, "rescan")[-1]["status"] == 0
    court.a_while(0.3)
    assert court.words("a.ini") == ["start", "0", "exit=0"]
    assert say(court, "start", "a.ini")[-1]["status"] == 0
    assert court.words("a.ini") == ["start", "0", "exit=0", "start"]
    assert say(court, "start", "a.ini")[-1]["status"] == 0  # it runs: the answer of its newest start
    assert court.starts("a.ini") == 2 and court.words("b.ini") == ["start", "1"]


def test_wait(court, say):
    """wait --for=ready of a name that is not there yet, --for=gone of one that goes, or never was."""
    waits = Later(say, court, "wait", "a.ini", "--for=ready")
    court.a_while(0.2)
    assert not waits.done
    court.fake("a.ini")
    assert waits.get()[-1]["status"] == 0
    assert say(court, "wait", "a", "--for=ready")[-1]["status"] == 0
    assert say(court, "wait", "never", "--for=gone")[-1]["status"] == 0
    goes = Later(say, court, "wait", "a.ini", "--for", "gone")
    court.a_while(0.2)
    assert not goes.done
    court.remove("a.ini")
    assert goes.get()[-1]["status"] == 0
    assert not court.vassals()


def test_logs(court, say):
    """logs NAME: its last lines, from stdout and stderr; --lines; --follow until the vassal is gone."""
    ready(court, "a.ini", lines=["print=first", "print-err=second"])
    assert [each.get("line") for each in say(court, "logs", "a.ini")[:-1]] == ["first", "second"]
    assert [each["line"] for each in say(court, "logs", "a", "--lines", "1")[:-1]] == ["second"]
    follows = Later(say, court, "logs", "a.ini", "--lines=1", "--follow")
    court.a_while(0.2)
    assert result(court, "restart", "a.ini")["status"] == 0
    court.remove("a.ini")
    assert [each["line"] for each in follows.get()[:-1]] == ["second", "first", "second"]


def test_events(court, say):
    """events [NAME]: the transitions with time, cause and who asked."""
    ready(court, "a.ini", "b.ini")
    assert result(court, "reload", "a.ini")["status"] == 0
    found = [(each["from"], each["to"]) for each in say(court, "events", "a.ini")[:-1]]
    assert found[-1] == ("settling", "ready") and ("reload-queued", "reloading") in found
    every = say(court, "events")[:-1]
    assert {each["event"] for each in every} == {"a.ini", "b.ini"}
    assert [each["time"] for each in every] == sorted(each["time"] for each in every)
    assert any(each["uid"] == 0 and each["to"] == "reload-queued" for each in every)


def test_verbs_of_the_court(new_court, say):
    """rescan, forget-blacklist, version, help."""
    court = new_court("--emperor-throttle=60000")
    court.fake("bad.ini", "exit-at-start=1")
    wait_state(court, "bad.ini", "blacklisted")
    before = court.starts("bad.ini")
    assert status_of(court, "bad.ini")["waiting_for"] == "throttle"
    assert say(court, "rescan")[-1]["status"] == 0
    assert say(court, "forget-blacklist")[-1]["status"] == 0
    court.wait_start("bad.ini", count=before + 1, deadline=3)
    version = say(court, "version")[-1]
    assert (version["keeper"], version["ruler"]) == (court.popen.pid, court.ruler())
    verbs = [each["verb"] for each in say(court, "help")[-1]["verbs"]]
    assert {"status", "list", "reload", "restart", "stop", "start", "wait", "logs", "events", "rescan", "forget-blacklist",
            "reopen", "version"} <= set(verbs)


def test_reopen(new_court, say):
    """reopen: the log file was moved away; a new one is begun."""
    court = new_court("--logto={}", start=False)
    place = court.base / "logs"
    place.mkdir()
    court.command[court.command.index("--logto={}")] = f"--logto={place}/regent.log"
    court.start()
    ready(court, "a.ini")
    court.wait_for(lambda: "a.ini" in (place / "regent.log").read_text())
    (place / "regent.log").rename(place / "old.log")
    assert say(court, "reopen")[-1]["status"] == 0
    court.wait_for((place / "regent.log").exists)
    ready(court, "b.ini")
    court.wait_for(lambda: "b.ini" in (place / "regent.log").read_text())
    assert "b.ini" not in (place / "old.log").read_text()


# ---- names
def test_names_in_requests(court, say):
    """Without extension; ambiguous: candidates, and nothing is done; blanks, quotes, backslashes, a leading dash."""
    names = ["a.ini", "a.yml", "with blank.ini", 'quote".ini', "back\\slash.ini", "-dash.ini"]
    ready(court, *names)
    found = say(court, "reload", "a", "with blank")[-1]
    assert (found["status"], sorted(found["candidates"])) == (2, ["a.ini", "a.yml"])
    assert {vassal["cycle"] for vassal in result(court, "status")["vassals"]} == {1}
    for name in names[2:]:
        assert say(court, "reload", "--", name.removesuffix(".ini"))[-1]["status"] == 0
        assert status_of(court, name)["cycle"] == 2
    assert say(court, "reload", "a.yml")[-1]["status"] == 0


def test_worst_of_several(court, say):
    """Several names: each has its verdict, the worst is the exit status."""
    ready(court, "a.ini", "b.ini")
    court.fake("dies.ini", "exit-on-reload=1")
    wait_state(court, "dies.ini", "ready")
    found = say(court, "reload", "a.ini", "nosuch", "b.ini")[-1]
    assert (found["status"], sorted((part["name"], part["status"]) for part in found["vassals"])) == (
        5, [("a.ini", 0), ("b.ini", 0), ("nosuch", 5)])
    assert say(court, "reload", "nosuch", "dies.ini", "a.ini")[-1]["status"] == 3


# ---- hostile or clumsy clients
def raw(court, data, shut=False):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(court.socket))
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            return s.makefile("rb").read()
        except (BrokenPipeError, ConnectionResetError):
            return b""


def test_junk(court):
    """A megabyte without a newline, NULs, an unfinished line, quotes that do not end, nothing at all: the court goes on."""
    ready(court, "a.ini")
    for junk in (b"x" * 1_000_000, b"\0" * 5000 + b"\n", b"sta\0tus\n", b'reload "a.ini\n', b"reload \xff\xfe\n", b"\n", b"--all\n"):
        answer = raw(court, junk)
        assert answer == b"" or b'"status":2' in answer or b'"status":5' in answer, (junk[:20], answer)
    assert b'"status":2' in raw(court, b"status", shut=True)
    assert b'"status":0' in raw(court, b"status\nreload a.ini\n", shut=True)  # one request a connection
    raw(court, b"", shut=True)
    assert result(court, "reload", "a.ini")["status"] == 0
    assert court.bytes("a.ini") == [1]


@pytest.mark.limit(30)
def test_many_clients(court):
    """300 clients that say nothing, one that never reads: touch and reload work all the while."""
    ready(court, "a.ini", lines=["print=" + "x" * 900])
    silent = [socket.socket(socket.AF_UNIX) for _ in range(300)]
    try:
        for each in silent:
            each.setblocking(False)
            try:
                each.connect(str(court.socket))
            except BlockingIOError:
                break
        slow = silent[0]
        court.touch("a.ini")
        court.wait_words("a.ini", ["start", "1"], deadline=3)
        for each in silent[100:]:
            each.close()
        slow.setblocking(True)
        slow.sendall(b"events --follow\n")
        for _ in range(3):
            assert result(court, "reload", "a.ini")["status"] == 0
        assert court.bytes("a.ini") == [1, 1, 1, 1]
    finally:
        for each in silent:
            each.close()


def test_client_that_leaves(court):
    """Who asks and goes away is obeyed all the same."""
    ready(court, "a.ini")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(court.socket))
        s.sendall(b"reload a.ini\n")
    court.wait_words("a.ini", ["start", "1"])


# ---- the socket itself
def test_no_socket_possible(new_court):
    """Where the control socket cannot be made, regent says so and rules without one."""
    court = new_court(start=False)
    court.command[court.command.index(str(court.socket))] = f"{court.base}/nowhere/control.sock"
    court.start(wait=False)
    court.fake("a.ini")
    court.wait_start("a.ini")
    assert "nowhere/control.sock" in court.log
    court.touch("a.ini")
    court.wait_words("a.ini", ["start", "1"])


def test_second_regent(new_court):
    """A second regent on the same run directory is refused; the first does not notice."""
    court, second = new_court(), new_court(start=False)
    ready(court, "a.ini")
    for option in ("--run-directory", "--control-socket"):
        at = court.command.index(option) + 1
        second.command[at] = court.command[at]
    second.start(wait=False)
    assert second.popen.wait(10) not in (0, None)
    assert str(court.run) in second.log
    assert not second.starts("a.ini")
    assert result(court, "reload", "a.ini")["status"] == 0


def test_a_socket_left_behind(new_court):
    """kill -9 leaves the socket; the next regent takes its place."""
    court = new_court()
    court.stop(signal.SIGKILL)
    court.wait_for(lambda: not court.processes(), 5)
    assert court.socket.exists()
    court.stopped = court.killed = False
    court.start(wait=False)
    court.files_before = []
    court.wait_for(lambda: _answers(court))
    ready(court, "a.ini")


def _answers(court):
    try:
        return by_socket(court, "version")
    except OSError:
        return False
