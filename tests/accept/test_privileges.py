"""As whom a vassal runs."""


def ids(born):
    status = born["status"]
    return status["Uid"].split(), status["Gid"].split(), sorted(map(int, status["Groups"].split()))


def test_user_by_name(court):
    """--uid and --gid by name: all four ids, and the user's supplementary groups."""
    pn, extra = court.accounts.pn, court.accounts.extra_gid
    court.fake("a.ini", "record")
    assert ids(court.record("a.ini")) == ([str(pn.uid)] * 4, [str(pn.gid)] * 4, sorted([pn.gid, extra]))


def test_user_by_number(new_court):
    """--uid and --gid by number do the same."""
    court = new_court(uid=False, start=False)
    pn, extra = court.accounts.pn, court.accounts.extra_gid
    court.command += ["--uid", str(pn.uid), "--gid", str(pn.gid)]
    court.start()
    court.fake("a.ini", "record")
    assert ids(court.record("a.ini")) == ([str(pn.uid)] * 4, [str(pn.gid)] * 4, sorted([pn.gid, extra]))


def test_other_group(new_court):
    """--gid of another group than the user's own: it is the gid; the user's supplementary groups come with it."""
    court = new_court(uid=False, start=False)
    pn, www, extra = court.accounts.pn, court.accounts.www, court.accounts.extra_gid
    court.command += ["--uid", pn.name, "--gid", www.name]
    court.start()
    court.fake("a.ini", "record")
    assert ids(court.record("a.ini")) == ([str(pn.uid)] * 4, [str(www.gid)] * 4, sorted([www.gid, extra]))


def test_started_as_ordinary_user(new_court):
    """Without any privilege, as pn: vassals are pn's, with the groups pn has."""
    court = new_court(as_user=True)
    pn, extra = court.accounts.pn, court.accounts.extra_gid
    court.fake("a.ini", "record")
    born = court.record("a.ini")
    assert ids(born) == ([str(pn.uid)] * 4, [str(pn.gid)] * 4, sorted([pn.gid, extra]))
    assert born["status"]["CapEff"] == "0" * 16


def test_respawn_keeps_identity(court):
    """A vassal that died comes back as the same user with the same groups."""
    pn, extra = court.accounts.pn, court.accounts.extra_gid
    court.fake("a.ini", "record", f"once={court.out}/died", "exit-after=1")
    court.wait_start("a.ini", count=2)
    born = court.record("a.ini")
    assert born["pid"] == court.pid("a.ini")
    assert ids(born) == ([str(pn.uid)] * 4, [str(pn.gid)] * 4, sorted([pn.gid, extra]))
