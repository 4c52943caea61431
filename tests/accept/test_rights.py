"""Who may ask what: by the credentials of who connects, never by what he says."""
import os

import pytest

from asking import quoted, status_of, wait_state

pytestmark = pytest.mark.regent_only("A control socket, regentctl, and an answer to each deploy")

VERBS = (["status"], ["list"], ["status", "pn"], ["reload", "pn"], ["restart", "pn"], ["stop", "pn"], ["start", "pn"], ["logs", "pn"],
         ["events"], ["wait", "pn", "--for=gone"], ["reload", "--all"], ["rescan"], ["forget-blacklist"], ["reopen"])


def owned(court, name, account, *lines):
    path = court.fake(name, *lines, directory=court.work)
    os.chown(path, account.uid, account.gid)
    path.rename(court.vassals_dir / name)


@pytest.fixture
def of_two(new_court):
    """of_two(option...): a tyrant court with a vassal of pn and one of www."""
    def make(*options):
        court = new_court("--emperor-tyrant", *options, uid=False)
        owned(court, "pn.ini", court.accounts.pn, "print=words of pn")
        owned(court, "www.ini", court.accounts.www, "print=words of www")
        for name in ("pn.ini", "www.ini"):
            wait_state(court, name, "ready")
        return court
    return make


def may(court, account, *words):
    """The exit status of regentctl, run as that user."""
    return court.regentctl_as(account, *words).returncode


def test_users_of_the_vassals(of_two):
    """The user a vassal runs as: reload, wait, status, logs, events of that one; others' are as if they were not there."""
    court = of_two()
    pn, www = court.accounts.pn, court.accounts.www
    assert [may(court, pn, *words) for words in (["reload", "pn"], ["wait", "pn", "--for=ready"], ["status", "pn"], ["logs", "pn"],
                                                 ["events", "pn"], ["reload", "--all"])] == [0] * 6
    assert court.bytes("pn.ini") == [1, 1] and court.bytes("www.ini") == []
    for words in (["reload", "www"], ["status", "www.ini"], ["logs", "www"], ["events", "www"], ["stop", "www"], ["reload", "nosuch"]):
        mine, nobodys = court.regentctl_as(pn, *words), court.regentctl_as(pn, words[0], "nosuch.ini", *words[2:])
        assert mine.returncode == nobodys.returncode == 5, mine
        assert mine.stdout.replace(words[1], "X") == nobodys.stdout.replace("nosuch.ini", "X")
    for words in (["stop", "pn"], ["restart", "pn"], ["start", "pn"], ["rescan"], ["forget-blacklist"], ["reopen"]):
        assert may(court, pn, *words) == 4, words
    for words in (["status"], ["list"], ["events"]):
        shown = court.regentctl_as(pn, *words).stdout
        assert "pn.ini" in shown and "www" not in shown
    assert "words of www" in court.regentctl_as(www, "logs", "www").stdout
    assert (may(court, www, "reload", "pn"), court.words("www.ini")) == (5, ["start"])


def test_strangers(of_two):
    """Who has no right on any vassal gets 4 for everything, whether the name is there or not."""
    court = of_two()
    stranger = court.accounts.stranger()
    for words in (*VERBS, ["status", "nosuch"], ["reload", "nosuch"], ["wait", "nosuch", "--for=ready"], ["wait", "nosuch", "--for=gone"]):
        assert may(court, stranger, *words) == 4, words
    assert may(court, stranger, "version") == 0
    assert court.words("pn.ini") == court.words("www.ini") == ["start"]


def test_control_allow(of_two, setup):
    """control-allow = USER VERBS GLOB: pn reloads a vassal of www, and nothing else of it; by group too."""
    accounts = setup.accounts
    court = of_two(f"--control-allow={accounts.pn.name} reload,logs www*", f"--control-allow=@{accounts.www.name} * pn.ini",
                   f"--control-allow={accounts.www.name} rescan")
    pn, www = accounts.pn, accounts.www
    assert may(court, pn, "reload", "www") == 0 and court.bytes("www.ini") == [1]
    assert "words of www" in court.regentctl_as(pn, "logs", "www").stdout
    assert [may(court, pn, *words) for words in (["stop", "www"], ["restart", "www"], ["rescan"], ["reload", "pn"])] == [4, 4, 4, 0]
    assert [may(court, www, *words) for words in (["restart", "pn"], ["stop", "pn"], ["start", "pn"], ["rescan"], ["reopen"])] == [0, 0, 0,
                                                                                                                               0, 4]
    assert status_of(court, "pn")["state"] == "ready"


def test_an_ordinary_users_regent(new_court):
    """Who started regent may all; root too; others nothing."""
    court = new_court(as_user=True)
    court.fake("a.ini")
    wait_state(court, "a.ini", "ready")
    for words in (["stop", "a"], ["start", "a"], ["restart", "a"], ["rescan"], ["reload", "--all"], ["reopen"]):
        assert may(court, court.accounts.pn, *words) == 0, words
    assert may(court, court.accounts.www, "reload", "a") == 4
    assert court.ask(f"reload {quoted('a.ini')}")[-1]["status"] == 0
