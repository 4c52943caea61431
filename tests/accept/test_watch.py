"""What happens in the watched directory, and what the supervisor makes of it."""
import os
import shutil

import pytest


def target(court, name, *lines):
    """A config outside the watched directory, as a repository's checkout has it."""
    place = court.base / "deploy"
    place.mkdir(exist_ok=True)
    return court.fake(name, *lines, directory=place)


def retouch(court, path):
    moment = court._later(path.stat().st_mtime)
    os.utime(path, (moment, moment))


def test_new_file_without_being_told(court):
    """A file that is dropped runs, though nobody says a word to the supervisor."""
    court.fake("a.ini")
    court.wait_for(lambda: court.starts("a.ini"), 4, "a start", nudge=False)
    assert court.words("a.ini") == ["start"]


def test_touch_without_being_told(court):
    """touch: byte 1, once."""
    court.fake("a.ini")
    court.wait_start("a.ini")
    court.touch("a.ini")
    court.wait_for(lambda: court.bytes("a.ini"), 4, "byte 1", nudge=False)
    court.a_while(0.5)
    assert court.words("a.ini") == ["start", "1"]


def test_files_that_are_there_at_start(new_court):
    """What stands in the directory at the start runs."""
    court = new_court(start=False)
    names = ["a.ini", "b.ini", "c.ini"]
    for name in names:
        court.fake(name)
    court.start()
    court.wait_start(*names)


def test_new_link(court):
    """ln -s: runs under the link's name."""
    court.link("a.ini", target(court, "site.ini", "record"))
    assert court.record("site.ini")["argv"][1:] == ["--ini", "a.ini"]


def test_link_through_links(court):
    """A link to a link in a linked directory is followed; a touch of the file at the end counts."""
    path = target(court, "site.ini")
    (court.base / "current").symlink_to(path.parent)
    (court.work / "middle.ini").symlink_to(court.base / "current" / "site.ini")
    court.link("a.ini", court.work / "middle.ini")
    court.wait_start("site.ini")
    retouch(court, path)
    court.wait_words("site.ini", ["start", "1"])


def test_touch_of_a_target(court):
    """touch of the file that a link points to: byte 1."""
    path = target(court, "site.ini")
    court.link("a.ini", path)
    court.wait_start("site.ini")
    retouch(court, path)
    court.wait_words("site.ini", ["start", "1"])


def test_touch_through_the_link(court):
    """touch of the link's own name, as deploy hooks do it: reaches the target."""
    court.link("a.ini", target(court, "site.ini"))
    court.wait_start("site.ini")
    court.touch("a.ini")
    court.wait_words("site.ini", ["start", "1"])


def test_target_written_in_place(court):
    """The target's content changes in place: byte 1."""
    path = target(court, "site.ini")
    court.link("a.ini", path)
    court.wait_start("site.ini")
    with path.open("a") as f:
        f.write("; edited\n")
    court.wait_words("site.ini", ["start", "1"])


def test_target_replaced_by_rename(court):
    """The target is replaced, as git checkout and editors do: byte 1, no restart."""
    path = target(court, "site.ini")
    court.link("a.ini", path)
    court.wait_start("site.ini")
    court.fake("site.ini", directory=path.parent)
    court.wait_words("site.ini", ["start", "1"])


def test_link_to_a_newer_file(court):
    """ln -sfn to a newer file: byte 1, the same process."""
    court.link("a.ini", target(court, "old.ini"))
    court.wait_start("old.ini")
    newer = target(court, "new.ini")
    retouch(court, newer)
    court.link("a.ini", newer)
    court.wait_words("old.ini", ["start", "1"])


def test_removed(court):
    """rm: byte 0, and the process ends. Others do not notice."""
    court.fake("a.ini")
    court.fake("b.ini")
    court.wait_start("a.ini", "b.ini")
    court.remove("a.ini")
    court.wait_words("a.ini", ["start", "0", "exit=0"])
    court.wait_for(lambda: court.pid("a.ini") is None)
    assert court.words("b.ini") == ["start"]


def test_target_removed(court):
    """The target goes, the link dangles: stopped. It comes back: runs."""
    path = target(court, "site.ini")
    court.link("a.ini", path)
    court.wait_start("site.ini")
    path.unlink()
    court.wait_words("site.ini", ["start", "0", "exit=0"])
    court.fake("site.ini", directory=path.parent)
    court.wait_start("site.ini", count=2)


def test_removed_and_back(court):
    """rm, gone, and the file is there again: runs again."""
    court.fake("a.ini", "bytes=1,5,17")
    court.wait_start("a.ini")
    court.remove("a.ini")
    court.wait_words("a.ini", ["start", "0", "exit=0"])
    court.fake("a.ini")
    court.wait_words("a.ini", ["start", "0", "exit=0", "start"])


def test_renamed(court):
    """mv a.ini b.ini: a ends, b runs."""
    path = court.write("a.ini", f"[uwsgi]\n;fake log={court.out}/both.log\n")
    court.wait_start("both")
    path.rename(court.vassals_dir / "b.ini")
    court.wait_for(lambda: court.starts("both") == 2 and "exit=0" in court.words("both"))
    assert len(court.vassals()) == 1


def test_what_is_not_a_vassal(court):
    """Other extensions, editors' and package managers' files, directories, fifos, dangling links: ignored."""
    others = ["a.txt", "a.ini~", "a.ini.bak", "a.ini.swp", ".a.ini.swp", "#a.ini#", "a.INI", "a", "4913", "a.ini.dpkg-new",
              "a.conf", "aini", "a.ini.disabled"]
    for name in others:
        court.write(name, f"[uwsgi]\n;fake log={court.out}/other.log\n")
    (court.vassals_dir / "d.ini").mkdir()
    os.mkfifo(court.vassals_dir / "fifo.ini")
    court.link(".#a.ini", "root@host.1234:56")  # what emacs leaves while a file is being edited
    court.link("loop.ini", "loop.ini")
    court.fake("last.ini")
    court.wait_start("last.ini")
    court.a_while(0.4)
    assert court.starts("other") == 0
    assert len(court.vassals()) == 1


def test_becomes_a_vassal(court):
    """mv a.ini.disabled a.ini and back: starts and stops."""
    path = court.fake("a.ini", directory=court.work)
    path = path.rename(court.vassals_dir / "a.ini.disabled")
    path = path.rename(court.vassals_dir / "a.ini")
    court.wait_start("a.ini")
    path.rename(court.vassals_dir / "a.ini.disabled")
    court.wait_words("a.ini", ["start", "0", "exit=0"])


def test_nofollow(new_court):
    """--emperor-nofollow: a link counts as itself; a touch of its target does nothing, a new link does."""
    court = new_court("--emperor-nofollow")
    path = target(court, "site.ini")
    (court.work / "a.ini").symlink_to(path)
    os.utime(court.work / "a.ini", (1, 1), follow_symlinks=False)
    (court.work / "a.ini").rename(court.vassals_dir / "a.ini")
    court.wait_start("site.ini")
    retouch(court, path)
    court.a_while(0.4)
    assert court.words("site.ini") == ["start"]
    court.link("a.ini", path)
    court.wait_words("site.ini", ["start", "1"])


def test_unreadable_for_others(new_court):
    """A 0600 config of pn is watched and run like any other."""
    court = new_court()
    path = court.fake("a.ini")
    os.chown(path, court.accounts.pn.uid, court.accounts.pn.gid)
    path.chmod(0o600)
    court.wait_start("a.ini")
    court.touch("a.ini")
    court.wait_for(lambda: 1 in court.bytes("a.ini"))


def test_stays_gone_and_comes_back_many_times(court):
    """Five times removed and dropped again: five processes, one after the other."""
    for i in range(5):
        court.fake("a.ini", "bytes=1,5,17")
        court.wait_start("a.ini", count=i + 1)
        court.remove("a.ini")
        court.wait_for(lambda: court.words("a.ini").count("exit=0") == i + 1)
    assert court.words("a.ini") == ["start", "0", "exit=0"] * 5


def test_hard_link_backup(court):
    """cp -l, chmod, chown: the ctime changes, the content does not: nothing happens."""
    path = court.fake("a.ini")
    court.wait_start("a.ini")
    os.link(path, court.work / "backup")
    path.chmod(0o600)
    path.chmod(0o644)
    os.chown(path, court.accounts.pn.uid, court.accounts.pn.gid)
    court.a_while(0.5)
    assert court.words("a.ini") == ["start"]


def test_only_read(court):
    """Opening and reading a config, listing the directory, other files coming and going: nothing happens."""
    path = court.fake("a.ini")
    court.wait_start("a.ini")
    for i in range(5):
        path.read_text()
        os.listdir(court.vassals_dir)
        court.write(f"{i}.txt", "x").unlink()
    court.a_while(0.4)
    assert court.words("a.ini") == ["start"]


# ---- rows of the table of differences
@pytest.mark.regent_only("A link switched to an older file counts as a change")
def test_link_to_an_older_file(court):
    """A rollback by ln -sfn: byte 1."""
    newer, older = target(court, "new.ini"), target(court, "old.ini")
    os.utime(older, (1_600_000_000, 1_600_000_000))
    court.link("a.ini", newer)
    court.wait_start("new.ini")
    court.link("a.ini", older)
    court.wait_words("new.ini", ["start", "1"])


@pytest.mark.regent_only("Two edits within one second both count")
def test_second_edit_within_a_second(court):
    """Two versions with the same second in their mtime: two times byte 1."""
    second = court.fake("a.ini").stat().st_mtime_ns // 10**9 * 10**9
    court.wait_start("a.ini")
    for i in (1, 2):
        edited = court.fake("a.ini", f"print={i}", directory=court.work)
        os.utime(edited, ns=(second + i, second + i))
        edited.rename(court.vassals_dir / "a.ini")
        court.wait_for(lambda: court.bytes("a.ini") == [1] * i, what=f"{i} times byte 1")


@pytest.mark.regent_only("A file that is still being written is not run")
def test_half_written_file(court):
    """A file that is open for writing waits for its close."""
    text = court.text("a.ini", [])
    with (court.vassals_dir / "a.ini").open("w") as f:
        f.write(text[:12])
        f.flush()
        court.a_while(0.5)
        assert court.vassals() == []
        f.write(text[12:])
    court.wait_start("a.ini")


@pytest.mark.regent_only("A monitored directory may be moved away and back")
def test_directory_moved_away_and_back(court):
    """mv vassals x: all end; mv x vassals: all run."""
    court.fake("a.ini")
    court.wait_start("a.ini")
    away = court.base / "away"
    court.vassals_dir.rename(away)
    court.wait_words("a.ini", ["start", "0", "exit=0"])
    away.rename(court.vassals_dir)
    court.wait_start("a.ini", count=2)


@pytest.mark.regent_only("A monitored directory that is not there yet is waited for")
def test_directory_that_appears_later(new_court):
    """A warning at the start; the directory comes; its vassals run."""
    court = new_court(start=False)
    shutil.rmtree(court.vassals_dir)
    later = court.base / "later"
    later.mkdir()
    court.fake("a.ini", directory=later)
    court.start()
    later.rename(court.vassals_dir)
    court.wait_start("a.ini")
