"""--emperor-tyrant: a vassal runs as the owner of its config."""
import os

import pytest


def owned(court, path, account=None, uid=None, gid=None):
    uid, gid = (account.uid, account.gid) if account else (uid, gid)
    os.chown(path, uid, gid, follow_symlinks=False)
    return path


def drop(court, name, *lines, **owner):
    """A config that has its owner from its first moment in the watched directory."""
    path = owned(court, court.fake(name, *lines, directory=court.work), **owner)
    return path.rename(court.vassals_dir / name)


def ids(born):
    status = born["status"]
    return status["Uid"].split(), status["Gid"].split(), status["Groups"].split()


@pytest.fixture
def tyrant(new_court):
    return new_court("--emperor-tyrant", uid=False)


def test_runs_as_its_owner(tyrant):
    """uid and gid of the file; no supplementary group, not even the owner's own; no capability."""
    pn, www = tyrant.accounts.pn, tyrant.accounts.www
    drop(tyrant, "pn.ini", "record", account=pn)
    drop(tyrant, "www.ini", "record", account=www)
    drop(tyrant, "mixed.ini", "record", uid=pn.uid, gid=www.gid)
    for name, uid, gid in (("pn.ini", pn.uid, pn.gid), ("www.ini", www.uid, www.gid), ("mixed.ini", pn.uid, www.gid)):
        born = tyrant.record(name)
        assert ids(born) == ([str(uid)] * 4, [str(gid)] * 4, [])
        assert [born["status"][key] for key in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == ["0" * 16] * 4


def test_refuses_root(tyrant):
    """A config of root, or of root's group, is not run, and named in the log."""
    pn = tyrant.accounts.pn
    drop(tyrant, "of-root.ini", uid=0, gid=0)
    drop(tyrant, "group-root.ini", uid=pn.uid, gid=0)
    drop(tyrant, "user-root.ini", uid=0, gid=pn.gid)
    drop(tyrant, "pn.ini", account=pn)
    tyrant.wait_start("pn.ini")
    for name in ("of-root.ini", "group-root.ini", "user-root.ini"):
        tyrant.wait_for(lambda: name in tyrant.log, what=f"{name} is named")
        assert tyrant.starts(name) == 0


def test_refused_then_given_away(tyrant):
    """chown of a refused file to an ordinary user: runs."""
    path = drop(tyrant, "a.ini", uid=0, gid=0)
    tyrant.wait_for(lambda: "a.ini" in tyrant.log)
    owned(tyrant, path, tyrant.accounts.pn)
    tyrant.wait_start("a.ini")


def test_owner_changes(tyrant):
    """chown while it runs: stopped, and started as the new owner."""
    path = drop(tyrant, "a.ini", "record", account=tyrant.accounts.pn)
    assert tyrant.record("a.ini")["status"]["Uid"].split()[0] == str(tyrant.accounts.pn.uid)
    tyrant.wait_for(lambda: "ready to accept requests" in tyrant.log)  # regent kills what has not said that it is up
    (tyrant.out / "a.ini.json").unlink()
    (tyrant.out / "a.ini.log").chmod(0o666)
    owned(tyrant, path, tyrant.accounts.www)
    assert tyrant.record("a.ini")["status"]["Uid"].split()[0] == str(tyrant.accounts.www.uid)
    assert tyrant.words("a.ini") == ["start", "0", "exit=0", "start"]


def test_given_to_root(tyrant):
    """chown to root while it runs: stopped, and not started again."""
    path = drop(tyrant, "a.ini", account=tyrant.accounts.pn)
    tyrant.wait_start("a.ini")
    owned(tyrant, path, uid=0, gid=0)
    tyrant.wait_words("a.ini", ["start", "0", "exit=0"])
    tyrant.a_while(0.4)
    assert tyrant.words("a.ini") == ["start", "0", "exit=0"]


def test_link_of_root_to_a_users_file(tyrant):
    """root links a user's file: runs as the user; a touch of the file counts."""
    path = owned(tyrant, tyrant.fake("site.ini", "record", directory=tyrant.work), tyrant.accounts.www)
    tyrant.link("a.ini", path)
    assert ids(tyrant.record("site.ini"))[0] == [str(tyrant.accounts.www.uid)] * 4
    moment = tyrant._later(path.stat().st_mtime)
    os.utime(path, (moment, moment))
    tyrant.wait_words("site.ini", ["start", "1"])


def test_nofollow(new_court):
    """--emperor-tyrant-nofollow: the link's owner counts; root's link is refused."""
    court = new_court("--emperor-tyrant", "--emperor-tyrant-nofollow", uid=False)
    pn, www = court.accounts.pn, court.accounts.www
    site = owned(court, court.fake("site.ini", "record", directory=court.work), pn)
    other = owned(court, court.fake("other.ini", directory=court.work), pn)
    link = court.work / "a.ini"
    link.symlink_to(site)
    owned(court, link, www).rename(court.vassals_dir / "a.ini")
    court.link("b.ini", other)
    assert ids(court.record("site.ini"))[0] == [str(www.uid)] * 4
    court.wait_for(lambda: "b.ini" in court.log, what="b.ini is named")
    assert court.starts("other.ini") == 0


@pytest.mark.parametrize("mode", [0o700, 0o711])
def test_config_in_a_private_home(tyrant, mode):
    """A link into a home that only its owner may enter: watched, run, and its changes are seen."""
    home = tyrant.base / "home"
    home.mkdir()
    path = owned(tyrant, tyrant.fake("site.ini", "record", directory=home), tyrant.accounts.pn)
    path.chmod(0o600)
    owned(tyrant, home, tyrant.accounts.pn)
    home.chmod(mode)
    tyrant.link("a.ini", path)
    assert ids(tyrant.record("site.ini"))[0] == [str(tyrant.accounts.pn.uid)] * 4
    moment = tyrant._later(path.stat().st_mtime)
    os.utime(path, (moment, moment))
    tyrant.wait_words("site.ini", ["start", "1"])
    path.unlink()
    tyrant.wait_words("site.ini", ["start", "1", "0", "exit=0"])
