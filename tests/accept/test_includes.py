"""What an ini pulls in counts for its sockets: fetched with the vassal's rights before the vassal starts."""
import json
import os
import signal

import pytest

from asking import result, status_of, wait_state

pytestmark = pytest.mark.regent_only("Held sockets and handover: a deploy cannot break the site")


def write(court, name, *uwsgi, own=("hold-sockets = yes",)):
    text = court.text(name, []) + "\n[uwsgi]\nmodule = app\n" + "\n".join(uwsgi) + "\n[regent]\n" + "\n".join(own) + "\n"
    return court.write(name, text)


def base(court, mode, owner=None, text="[uwsgi]\nsocket = {0}/%N-%n.sock\nini = :more\n[more]\nchmod-socket = 660\n"):
    """In a directory that only pn may enter."""
    place = court.base / "private"
    place.mkdir(exist_ok=True)
    path = place / "base.ini"
    path.write_text(text.format(court.out))
    path.chmod(mode)
    for each in (place, path):
        os.chown(each, court.accounts.pn.uid, court.accounts.pn.gid)
    if owner is not None:
        os.chown(path, owner, owner)
    place.chmod(0o700)
    return path


def report(court, name, status=0):
    done = court.regentctl("--json", "check", name)
    assert done.returncode == status, done
    return json.loads(done.stdout)["report"]


@pytest.mark.parametrize("as_user", [False, True], ids=["privileged", "as-user"])
def test_include_of_its_own(new_court, as_user):
    """A socket that only the included file names is held, with the mode that its other section gives."""
    court = new_court(as_user=as_user, uid=not as_user)
    write(court, "a.ini", f"include = {base(court, 0o600)}")
    court.wait_start("a.ini")
    wait_state(court, "a.ini", "ready")
    assert status_of(court, "a.ini")["held"]
    socket = court.out / "a-base.sock"
    assert socket.is_socket() and socket.stat().st_mode & 0o777 == 0o660
    hold = report(court, "a")["hold"]
    assert (hold["addresses"], hold["options"]) == ([str(socket)], "mode=660")


def test_include_that_the_vassal_may_not_read(new_court):
    """Root's own file is not read for a vassal that may not read it: the vassal starts, nothing is held, and check says why."""
    court = new_court()
    path = base(court, 0o600, owner=0)
    write(court, "a.ini", f"include = {path}", f"socket = {court.out}/a.sock")
    court.wait_start("a.ini")
    assert not status_of(court, "a.ini")["held"]
    assert f"include = {path}: Permission denied" in report(court, "a", status=1)["hold"]["why_not"]


def test_includes_that_end_nowhere(new_court):
    """A file that includes itself, a directory, a FIFO: none of them stops or delays the start, each is named."""
    court = new_court()
    places = {"loop": base(court, 0o600, text=f"[uwsgi]\ninclude = {court.base}/private/base.ini\n"), "dir": court.out, "fifo": court.out / "fifo.ini"}
    os.mkfifo(places["fifo"], 0o666)
    (court.out / "d.ini").mkdir()
    places["dir"] = court.out / "d.ini"
    for name, path in places.items():
        write(court, f"{name}.ini", f"include = {path}", f"socket = {court.out}/{name}.sock")
    for name in places:
        court.wait_start(f"{name}.ini")
        assert str(places[name]) in report(court, name, status=1)["hold"]["why_not"]


def heard(court):
    """Who has answered twice has looked at all that was before the second question."""
    for _ in range(2):
        assert result(court, "version")["status"] == 0


def test_removed_while_its_include_is_fetched(new_court):
    """The keeper stands still, so no helper reads: configs come and go meanwhile. None of them is started for a config that is gone."""
    court = new_court()
    path = base(court, 0o600)
    court.popen.send_signal(signal.SIGSTOP)
    try:
        gone = [write(court, f"n{i}.ini", f"include = {path}", f"socket = {court.out}/n{i}.sock") for i in range(5)]
        heard(court)
        for config in gone:
            config.unlink()
        heard(court)
    finally:
        court.popen.send_signal(signal.SIGCONT)
    write(court, "last.ini", f"include = {path}")
    court.wait_start("last.ini")
    wait_state(court, "last.ini", "ready")
    assert "[n" not in court.log
