"""A checkout that touches many files makes one reload: the hook's own."""
import pytest

CALM = pytest.mark.regent_only("freeze, thaw and reload-on-change")


@CALM
def test_frozen_checkout_makes_one_reload(court):
    """freeze, the config goes and comes back and changes twice, reload, thaw: exactly one byte 1."""
    court.fake("a.ini")
    court.wait_words("a.ini", ["start"])
    assert court.regentctl("wait", "a", "--for=ready").returncode == 0
    assert court.regentctl("freeze", "a").returncode == 0
    court.remove("a.ini")
    court.fake("a.ini")
    court.touch("a.ini")
    assert court.regentctl("reload", "a").returncode == 0
    assert court.regentctl("thaw", "a").returncode == 0
    assert court.regentctl("reload", "a").returncode == 0  # whatever the thaw might have asked for comes before this one
    assert court.words("a.ini") == ["start", "1", "1"]


@CALM
def test_thaw_acts_on_what_no_reload_served(court):
    """A change while it is frozen is acted on by the thaw; the time limit thaws by itself."""
    court.fake("a.ini")
    assert court.regentctl("wait", "a", "--for=ready").returncode == 0
    assert court.regentctl("freeze", "a", "--seconds", "600").returncode == 0
    court.touch("a.ini")
    assert court.regentctl("rescan").returncode == 0
    assert court.words("a.ini") == ["start"]
    assert court.regentctl("thaw", "a").returncode == 0
    court.wait_words("a.ini", ["start", "1"])
    assert court.regentctl("wait", "a", "--for=ready").returncode == 0
    assert court.regentctl("freeze", "a", "--seconds", "1").returncode == 0
    court.touch("a.ini")
    court.wait_words("a.ini", ["start", "1", "1"], deadline=5)


@CALM
def test_reload_on_change_no(court):
    """[regent] reload-on-change = no: a changed config is left to `reload`."""
    court.write("a.ini", court.text("a.ini", []) + "\n[regent]\nreload-on-change = no\n")
    assert court.regentctl("wait", "a", "--for=ready").returncode == 0
    court.touch("a.ini")
    assert court.regentctl("rescan").returncode == 0
    assert court.words("a.ini") == ["start"]
    assert court.regentctl("reload", "a").returncode == 0
    assert court.words("a.ini") == ["start", "1"]
