"""What keeper, ruler and vassals may do, read from /proc/PID/status; and what still works inside a vassal."""
import os
import subprocess
import time

import pytest

import process

NONE = "0" * 16
# man 7 capabilities: the numbers of CHOWN, KILL, SETGID, SETUID, SETPCAP
KEEPER = f"{1 << 0 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8:016x}"
DAC_READ_SEARCH = 1 << 2
ROW = "The part that reads files and answers clients has no privilege"


def capabilities(pid):
    status = process.read_status(pid)
    return {key: status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


@pytest.mark.regent_only(ROW)
def test_keeper_has_five(court):
    """The keeper: SETUID SETGID KILL SETPCAP CHOWN, effective and permitted; its bounding set is untouched."""
    mine = capabilities(os.getpid())
    assert capabilities(court.popen.pid) == {"CapInh": NONE, "CapPrm": KEEPER, "CapEff": KEEPER, "CapBnd": mine["CapBnd"], "CapAmb": NONE}


@pytest.mark.regent_only(ROW)
def test_keeper_of_a_tyrant(new_court):
    """In tyrant mode DAC_READ_SEARCH is permitted besides, and not effective."""
    court = new_court("--emperor-tyrant", uid=False)
    found = capabilities(court.popen.pid)
    assert found["CapEff"] == KEEPER
    assert int(found["CapPrm"], 16) == int(KEEPER, 16) | DAC_READ_SEARCH


@pytest.mark.regent_only(ROW)
def test_ruler_has_none(new_court):
    """The ruler: a user of its own, no group but its own, no capability in any set, nothing to gain from an exec, and so after its death."""
    court = new_court()
    for _ in range(2):
        ruler = court.ruler()
        status = process.read_status(ruler)
        assert {status["Uid"], status["Gid"]} == {"\t".join(["65534"] * 4)} and status["Groups"] == ""
        assert set(capabilities(ruler).values()) == {NONE}
        assert status["NoNewPrivs"] == "1"
        os.kill(ruler, 9)
        court.wait_for(lambda: court.ruler() not in (None, ruler) and process.read_status(court.ruler())["Uid"].startswith("65534"),
                       what="another ruler")


def test_bounding_set_of_a_vassal(court):
    """A vassal's bounding set is the supervisor's, and nothing forbids it to gain privileges the usual ways."""
    court.fake("a.ini", "record")
    status = court.record("a.ini")["status"]
    assert status["CapBnd"] == capabilities(os.getpid())["CapBnd"]
    assert (status["CapEff"], status["CapPrm"], status["CapInh"], status["NoNewPrivs"]) == (NONE, NONE, NONE, "0")


@pytest.mark.regent_only(ROW)
def test_file_of_root(court):
    """A link to a file that only root may read: nothing of it is in status, logs, answers; and it cannot be opened."""
    secret = court.base / "secret.ini"
    secret.write_text("[uwsgi]\nxyzzy-secret\nuid = xyzzy-user\nlogger = file:/xyzzy-log\n")
    secret.chmod(0o600)
    court.link("a.ini", secret)
    court.wait_for(lambda: "a.ini" in court.log, what="it is named")
    said = [court.regentctl(*words) for words in (["status", "--json"], ["status", "a"], ["list"], ["logs", "a"], ["rescan"])]
    assert said[0].returncode == 0
    everything = court.log + "".join(done.stdout + done.stderr for done in said)
    assert "xyzzy" not in everything
    opens = subprocess.run(["cat", secret], user=65534, group=65534, extra_groups=[], capture_output=True, text=True)
    assert "Permission denied" in opens.stderr


def script(court, text):
    """A program that does something and then becomes the fake vassal."""
    path = court.base / "program"
    path.write_text(f"#!/bin/sh\n{text}\nexec {court.setup.fake} \"$@\"\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def sudoers(setup):
    path = f"/etc/sudoers.d/{setup.accounts.pn.name}"
    with open(path, "w") as f:
        f.write(f"{setup.accounts.pn.name} ALL=(root) NOPASSWD: /usr/bin/id\n")
    os.chmod(path, 0o440)
    yield path
    os.unlink(path)


def test_sudo(new_court, sudoers):
    """sudo works inside a vassal."""
    court = new_court(start=False)
    court.command += ["--emperor-wrapper", str(script(court, f"sudo -n /usr/bin/id -u >{court.out}/sudo 2>&1"))]
    court.start()
    court.fake("a.ini")
    court.wait_start("a.ini")
    assert (court.out / "sudo").read_text() == "0\n"


def test_setuid_program(new_court):
    """A setuid program that a vassal execs has its owner's rights."""
    court = new_court(start=False)
    program = court.base / "setuid-id"
    program.write_bytes(open("/usr/bin/id", "rb").read())
    program.chmod(0o4755)
    court.command += ["--emperor-wrapper", str(script(court, f"{program} -u >{court.out}/id 2>&1"))]
    court.start()
    court.fake("a.ini")
    court.wait_start("a.ini")
    assert (court.out / "id").read_text() == "0\n"


def test_own_uid_of_uwsgi(new_court):
    """A vassal that starts as root drops by itself: uid and gid in its ini are uWSGI's own."""
    court = new_court(uid=False, real=True, start=False)
    if court.kind == "regent":
        court.command += ["--vassals-as-root"]
    court.start()
    www = court.accounts.www
    place = court.base / "site"
    place.mkdir(mode=0o755)
    (place / "app.py").write_text((court.setup.apps / "hello.py").read_text())
    (place / "answer").write_text("one")
    os.chown(place, www.uid, www.gid)
    court.write("a.ini", f"[uwsgi]\nmaster = true\nuid = {www.name}\ngid = {www.name}\nchdir = {place}\nwsgi-file = app.py\n"
                         f"socket = {place}/socket\nworker-reload-mercy = 5\n")
    court.wait_for((place / "socket").exists, what="the app is there")
    court.wait_for(lambda: {process.read_status(pid)["Uid"].split()[1] for pid in court.vassals()} == {str(www.uid)}, what="all are www's")


def flooder(court, account):
    """A process of this user that stops whatever else is the user's, again and again."""
    return subprocess.Popen(["/usr/bin/python3", "-c", "import os, signal\nwhile True:\n os.kill(-1, signal.SIGSTOP)"], user=account.uid,
                            group=account.gid, extra_groups=[], start_new_session=True)


def test_signal_flood_of_another_user(new_court):
    """A vassal that stops all its user's processes in a loop: vassals of another user start within 2 s."""
    court = new_court("--emperor-tyrant", uid=False)
    pn, www = court.accounts.pn, court.accounts.www
    hostile = flooder(court, www)
    try:
        for i in range(5):
            path = court.fake(f"n{i}.ini", directory=court.work)
            os.chown(path, pn.uid, pn.gid)
            path.rename(court.vassals_dir / path.name)
            court.wait_start(path.name, deadline=2)
    finally:
        hostile.kill()
        hostile.wait()


@pytest.mark.regent_only("A tenant's signals hold up nobody's start")
def test_signal_flood_of_its_own_user(court):
    """The same against vassals of its own user: whoever it hits, the supervisor itself never stops, and starts all when it ends."""
    hostile = flooder(court, court.accounts.pn)
    try:
        for i in range(5):
            court.fake(f"n{i}.ini")
            before = time.monotonic()
            assert court.regentctl("status", "--json").returncode == 0
            assert time.monotonic() - before < 2
        court.wait_for(lambda: len(court.vassals()) >= 5 or "frozen" in court.log, what="each was tried")
    finally:
        hostile.kill()
        hostile.wait()
    for pid in court.vassals():
        os.kill(pid, 18)
    court.wait_start(*[f"n{i}.ini" for i in range(5)], deadline=10)


# ---- root, and neither --uid nor tyrant: the ini decides
RULE = "As root with neither --uid nor --emperor-tyrant, a vassal's ini says as whom it runs; root is refused"


def with_ids(court, name, *lines):
    return court.write(name, court.text(name, ["record"]) + "".join(f"{line}\n" for line in lines))


@pytest.mark.regent_only(RULE)
def test_ids_of_the_ini(new_court):
    """uid and gid of the ini, by name or number, with the user's groups; without gid the user's own."""
    court = new_court(uid=False)
    pn, www = court.accounts.pn, court.accounts.www
    with_ids(court, "name.ini", f"uid = {pn.name}", f"gid = {pn.name}")
    with_ids(court, "number.ini", f"uid = {pn.uid}", f"gid = {www.gid}")
    with_ids(court, "primary.ini", f"uid = {www.name}")
    for name, uid, gid, groups in (("name.ini", pn.uid, pn.gid, {pn.gid, court.accounts.extra_gid}),
                                   ("number.ini", pn.uid, www.gid, {www.gid, court.accounts.extra_gid}), ("primary.ini", www.uid, www.gid, {www.gid})):
        status = court.record(name)["status"]
        assert (status["Uid"].split(), status["Gid"].split()) == ([str(uid)] * 4, [str(gid)] * 4)
        assert set(map(int, status["Groups"].split())) == groups


@pytest.mark.regent_only(RULE)
def test_ids_refused(new_court):
    """Root, no user at all, an unknown user, the ruler's own: not started; the log names the vassal and the remedy. Repaired, it runs."""
    court = new_court(uid=False)
    pn = court.accounts.pn
    refused = {"root.ini": (["uid = root", "gid = root"], "root.ini asks to run as 0:0, which is not allowed"),
               "group.ini": ([f"uid = {pn.name}", "gid = 0"], f"group.ini asks to run as {pn.uid}:0, which is not allowed"),
               "none.ini": ([], "give it uid and gid in its ini"), "unknown.ini": (["uid = nobody-such"], "[unknown.ini] uid = nobody-such: no such user"),
               "ruler.ini": (["uid = nobody", "gid = nogroup"], "any user but root and the ruler's own")}
    for name, (lines, _) in refused.items():
        with_ids(court, name, *lines)
    for name, (_, words) in refused.items():
        court.wait_for(lambda: any(name in line and words in line for line in court.log.splitlines()), what=f"{name}: {words}")
    court.a_while(0.3)
    assert court.vassals() == []
    with_ids(court, "none.ini", f"uid = {pn.name}")
    court.record("none.ini")


@pytest.mark.regent_only(RULE)
def test_vassal_users(new_court):
    """--vassal-users: only those."""
    court = new_court(uid=False, start=False)
    pn, www = court.accounts.pn, court.accounts.www
    court.command += ["--vassal-users", f"{pn.name},daemon"]
    court.start()
    with_ids(court, "www.ini", f"uid = {www.name}")
    with_ids(court, "pn.ini", f"uid = {pn.name}")
    court.record("pn.ini")
    court.wait_for(lambda: "only those of vassal-users" in court.log, what="www is refused")
    assert len(court.vassals()) == 1


@pytest.mark.regent_only(RULE)
def test_vassals_as_root(new_court):
    """--vassals-as-root: who names nobody runs as root; who names somebody runs as that one."""
    court = new_court("--vassals-as-root", uid=False)
    pn = court.accounts.pn
    with_ids(court, "root.ini")
    assert court.record("root.ini")["status"]["Uid"].split() == ["0"] * 4
    with_ids(court, "pn.ini", f"uid = {pn.name}")
    assert court.record("pn.ini")["status"]["Uid"].split() == [str(pn.uid)] * 4
