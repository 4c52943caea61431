"""Held sockets: regent binds each address twice, as the vassal; what clients see of that, and what stays behind."""
import os
import signal
import socket
import stat

import pytest

from asking import Later, result
from load import Load
from load_apps import NEED_APP, Place, serve, site
from load_sockets import kinds

pytestmark = pytest.mark.regent_only("Held sockets: clients wait, they are not refused")

HOLD = ("hold-sockets = yes",)


def remains(path):
    """What regent has put beside the sockets."""
    return sorted(entry.name for entry in path.iterdir() if entry.name.endswith(".regent"))


# ---- which sockets
@pytest.mark.limit(60)
def test_kinds_of_sockets(new_court):
    """unix, TCP 4 and 6, 0.0.0.0, a bare port, uwsgi, http, http11, fastcgi, scgi, shared: a handover over each, no request fails; afterwards
    nothing is left beside a path."""
    court, _ = site(new_court, "--max-starting=0", name="unused")
    places = {kind.name: (kind, Place(court, kind.name)) for kind in kinds()}
    for kind, place in places.values():
        place.code("one")
        place.config(*kind.ini(), socket=False)
    wrong = []
    for later in [Later(_hand_over, *pair) for pair in places.values()]:
        wrong += later.get(50)
    assert not wrong, "\n".join(wrong)
    result(court, "stop", "--all")
    court.wait_for(lambda: not any(remains(place.path) for _, place in places.values()), 5,
                   f"nothing is left: {[remains(place.path) for _, place in places.values()]}")


def _hand_over(kind, place):
    place.court.wait_for(lambda: kind.get(place) == "one", 20, f"{kind.name} answers, not {kind.get(place)}")
    place.wait_ready()
    before, target = place.status(), kind.target(place)
    load = Load(place.court.setup.load, *target, rate=40) if target else None
    try:
        place.code("two")
        answer, served = result(place.court, "reload", place.ini), kind.get(place)
        figures = load.stop() if load else {}
    finally:
        if load:
            load.__exit__()
    return [f"{kind.name}: {sentence}" for sentence, wrong in {
        f"{answer}": answer["status"] != 0,
        f"it serves {served}": served != "two",
        "it was reloaded in place": place.status()["pid"] == before["pid"],
        f"{figures and figures.words()}": figures and (figures.bad or set(figures["versions"]) != {"one", "two"}),
    }.items() if wrong]


# ---- as the ini says
def mode_of(path):
    found = os.stat(path)
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def backlog_of(path):
    """How many fit: whoever accepts is stopped meanwhile by the caller."""
    waiting = []
    try:
        while len(waiting) < 300:
            one = socket.socket(socket.AF_UNIX)
            waiting.append(one)
            one.setblocking(False)
            one.connect(str(path))
    except BlockingIOError:
        return len(waiting) - 1
    finally:
        for one in waiting:
            one.close()


def stopped_backlog(place):
    pids = [pid for pid in place.court.vassals()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        return backlog_of(place.socket)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_mode_owner_backlog(new_court):
    """chmod-socket, chown-socket, listen: as uWSGI would do when it binds; changed in the ini, they are so from the next handover on."""
    court, place = site(new_court)
    pn = court.accounts.pn
    place.code("one")
    place.config("chmod-socket = 660", f"chown-socket = {pn.name}:{court.accounts.extra}", "listen = 7")
    place.says("one")
    place.wait_ready()
    assert mode_of(place.socket) == (0o660, pn.uid, court.accounts.extra_gid)
    assert stopped_backlog(place) == 8  # one more than listen says, as ever on Linux
    place.code("two")
    place.config("chmod-socket = 606", f"chown-socket = {pn.name}:{pn.name}", "listen = 20")
    place.says("two")
    place.wait_ready()
    assert mode_of(place.socket) == (0o606, pn.uid, pn.gid)
    assert stopped_backlog(place) == 21


# ---- what people do to sockets
def test_deleted_path(new_court):
    """rm of the socket: it is back at once, for the same generation, and the log says so once."""
    place = serve(new_court)
    pid = place.status()["pid"]
    for _ in range(2):
        place.socket.unlink()
        place.says("one")  # the second time it takes a second: at most one repair in that
    assert place.status()["pid"] == pid
    place.code("two")
    assert result(place.court, "reload", place.ini)["status"] == 0
    assert place.get() == (200, "two")


def test_changed_socket_line(new_court):
    """Another path in the ini: taken over at the next handover; the old path leads to the new generation until the handover after it."""
    place = serve(new_court)
    court, new = place.court, place.path / "elsewhere"
    with place.load() as load, place.slow() as slow:
        move(place, new)
        court.wait_for(lambda: load.figures() and place.status()["state"] == "retiring")
        with Load(court.setup.load, "uwsgi", f"unix:{new}", rate=100) as beside:
            court.a_while(0.3)
            assert place.socket.exists()
            assert slow.get() == (200, "one")
            place.wait_ready()
            beside.stop().assert_served("two")
    assert place.socket.exists()
    assert court.regentctl("reload", place.ini).returncode == 0
    court.wait_for(lambda: not place.socket.exists())
    assert remains(place.path) == [".elsewhere.regent"]


def move(place, path):
    """A changed config: a reload."""
    place.code("two")
    place.config(f"socket = {path}", socket=False)


def test_old_path_answers(new_court):
    """A changed path: who still asks at the old one is answered, by the new generation, until the next handover."""
    place = serve(new_court)
    with place.load(rate=200) as load:
        move(place, place.path / "elsewhere")
        place.court.wait_for(lambda: "has handed over" in place.court.log)
        place.court.a_while(0.5)
        load.stop().assert_served("one", "two")


def test_path_is_taken(new_court):
    """Somebody else listens there: the vassal is not started, the log names address and reason; when it is free, it runs."""
    court, place = site(new_court)
    place.code("one")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place.socket))
        place.socket.chmod(0o666)
        other.listen()
        place.config()
        court.wait_for(lambda: str(place.socket) in court.log and "ddress already in use" in court.log)
        assert not place.status()["pid"]
    place.says("one")
    place.wait_ready()


# ---- nobody serves for a while
def test_clients_wait(new_court):
    """restart, and kill -9: who comes meanwhile waits for the next start and is answered."""
    place = serve(new_court, regent=HOLD)
    court, fifo = place.court, place.fifo("import")
    place.code("two", "hangs")
    with place.load(rate=40) as load:  # for less than the backlog takes
        answer = Later(result, court, "restart", place.ini)
        writer = place.writer(fifo)
        court.a_while(0.5)
        assert not answer.done and load.figures()["under_way"] > 10
        os.close(writer)
        assert answer.get()["status"] == 0
        load.stop().assert_served("one", "two")
    place.code("three")
    with place.load(rate=40) as load:
        os.kill(place.status()["pid"], signal.SIGKILL)
        place.says("three")
        figures = load.stop()
    assert sum(figures[kind] for kind in ("refused", "missing", "full", "timeout", "5xx")) == 0, figures.words()
    assert figures["reset"] + figures["eof"] <= 3, figures.words()  # those that were being answered
    place.wait_ready()
    assert place.status()["restarts"] == 1


def test_hold_limit(new_court):
    """It cannot be started: clients wait for hold-limit, then they are refused; repaired, it serves."""
    place = serve(new_court, "--hold-limit=1", "--emperor-throttle=300", regent=HOLD, lines=[NEED_APP])
    court = place.court
    place.code("broken", "raises")
    os.kill(place.status()["pid"], signal.SIGKILL)
    court.wait_for(lambda: place.status()["state"] in ("blacklisted", "queued", "starting"))
    waiting = Later(place.get, "/", 5)
    court.a_while(0.3)
    assert not waiting.done
    court.wait_for(lambda: place.get("/", 0.2) in ("FileNotFoundError", "ConnectionRefusedError"), 5, f"refused, not {place.get('/', 0.2)}")
    assert waiting.get()[0] != 200
    place.code("two")
    assert result(court, "reload", place.ini)["status"] == 0
    assert place.get() == (200, "two")


# ---- what stays behind
def test_nothing_is_left(new_court):
    """A path has the mode that the umask leaves. stop: paths and directories are gone; start: they are back; TERM: gone."""
    place = serve(new_court)
    assert remains(place.path) == [".socket.regent"] and mode_of(place.socket)[0] == 0o777 & ~0o027
    assert result(place.court, "stop", place.ini)["status"] == 0
    place.court.wait_for(lambda: not place.socket.exists() and not remains(place.path))
    assert result(place.court, "start", place.ini)["status"] == 0
    assert place.get() == (200, "one")
    assert place.court.stop() == 0
    assert not place.socket.exists() and not remains(place.path)


def test_left_by_a_killed_keeper(new_court):
    """kill -9 of the keeper leaves path and directory behind; the next regent takes them over, and leaves nothing."""
    place = serve(new_court)
    court = place.court
    court.stop(signal.SIGKILL)
    court.wait_for(lambda: not court.vassals(), 10)
    assert remains(place.path) == [".socket.regent"]
    court.stopped = court.killed = False
    court.start()
    court.files_before = []
    place.says("one")
    place.wait_ready()
    place.code("two")
    assert result(court, "reload", place.ini)["status"] == 0
    assert place.get() == (200, "two")
    assert court.stop() == 0
    assert not place.socket.exists() and not remains(place.path)


def test_directory_is_not_ours(new_court):
    """A directory, or a link, of somebody else's in our place: not started, said why; nothing in it is touched."""
    court, place = site(new_court)
    place.code("one")
    elsewhere = court.base / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "A").write_text("mine")
    (place.path / ".socket.regent").symlink_to(elsewhere)
    place.config()
    court.wait_for(lambda: ".socket.regent" in court.log)
    assert (elsewhere / "A").read_text() == "mine" and not place.status()["pid"]
    (place.path / ".socket.regent").unlink()
    place.says("one", 20)
    place.wait_ready()
