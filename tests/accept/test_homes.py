"""--emperor-tyrant with configs in homes that only their owner may enter: what the ruler may not see, a helper with the owner's ids does."""
import os
import shutil

import pytest


@pytest.fixture(params=[0o700, 0o711, 0o750], ids=["0700", "0711", "0750"])
def home(new_court, request):
    return Home(new_court("--emperor-tyrant", uid=False), request.param)


class Home:
    """pn's home, with a config in conf/, and a link to it in the vassals directory."""

    def __init__(self, court, mode):
        self.court, self.pn = court, court.accounts.pn
        self.path = court.base / "home"
        self.conf = self.path / "conf"
        self.conf.mkdir(parents=True)
        self.config = self.write("a.ini")
        for path in (self.conf, self.path):
            os.chown(path, self.pn.uid, self.pn.gid)
            path.chmod(mode)

    def write(self, name, *lines, place=None):
        path = self.court.fake(name, *lines, directory=self.court.work)
        os.chown(path, self.pn.uid, self.pn.gid)
        path.chmod(0o600)
        return path.rename((place or self.conf) / name)

    def touch(self):
        moment = self.court._later(self.config.stat().st_mtime)
        os.utime(self.config, (moment, moment))

    def start(self):
        self.court.link("a.ini", self.config)
        self.court.wait_start("a.ini", deadline=5)


def test_started_as_its_owner(home):
    """A link to a config in a private home: runs, as the owner."""
    home.start()
    pid = home.court.pid("a.ini")
    assert os.stat(f"/proc/{pid}").st_uid == home.pn.uid


def test_touched(home):
    """A touch of the config: byte 1, again and again."""
    home.start()
    for i in range(1, 4):
        home.touch()
        home.court.wait_words("a.ini", ["start"] + ["1"] * i, deadline=5)


def test_replaced_by_rename(home):
    """The config is replaced, as editors and git do: byte 1; the new file is the one that is watched then."""
    home.start()
    home.court.wait_start("a.ini")
    for i in range(1, 4):
        path = home.court.fake("a.ini", directory=home.court.work)
        os.chown(path, home.pn.uid, home.pn.gid)
        moment = home.court._later(home.config.stat().st_mtime)
        os.utime(path, (moment, moment))
        path.rename(home.config)
        home.court.wait_words("a.ini", ["start"] + ["1"] * i, deadline=5)
    home.touch()
    home.court.wait_words("a.ini", ["start"] + ["1"] * 4, deadline=5)


def test_removed_and_back(home):
    """The config goes: stopped. It comes back: runs."""
    home.start()
    home.config.unlink()
    home.court.wait_words("a.ini", ["start", "0", "exit=0"], deadline=8)
    home.write("a.ini")
    home.court.wait_start("a.ini", count=2, deadline=5)
    home.touch()
    home.court.wait_words("a.ini", ["start", "0", "exit=0", "start", "1"], deadline=5)


def test_directory_on_the_way_is_replaced(home):
    """conf/ is moved away and another takes its place: byte 1."""
    home.start()
    other = home.path / "other"
    other.mkdir()
    os.chown(other, home.pn.uid, home.pn.gid)
    other.chmod(0o700)
    home.write("a.ini", "reload-bytes=5", place=other)
    moment = home.court._later(home.config.stat().st_mtime)
    os.utime(other / "a.ini", (moment, moment))
    home.conf.rename(home.path / "old")
    other.rename(home.conf)
    home.court.wait_for(lambda: home.court.words("a.ini")[1:], 8, "the change is seen")
    home.court.a_while(0.5)
    assert home.court.words("a.ini") == ["start", "1"]


def test_link_removed(home):
    """The link goes: stopped; what happens in the home is nobody's business any more."""
    home.start()
    home.court.remove("a.ini")
    home.court.wait_words("a.ini", ["start", "0", "exit=0"], deadline=8)
    home.touch()
    home.court.a_while(0.5)
    assert home.court.words("a.ini") == ["start", "0", "exit=0"]


def test_dies_and_comes_back(home):
    """A death is answered by a start here as anywhere."""
    home.start()
    os.kill(home.court.pid("a.ini"), 9)
    home.court.wait_start("a.ini", count=2, deadline=5)


@pytest.mark.regent_only("The supervisor's crash: vassals live on")
def test_next_ruler_watches_too(home):
    """The ruler dies: the vassal does not notice, and the next ruler sees a touch."""
    home.start()
    pid = home.court.pid("a.ini")
    os.kill(home.court.ruler(), 9)
    home.court.wait_for(lambda: "a new ruler" in home.court.log and home.court.regentctl("status", "a").returncode == 0, what="a ruler")
    home.touch()
    home.court.wait_words("a.ini", ["start", "1"], deadline=5)
    assert home.court.pid("a.ini") == pid


@pytest.mark.limit(40)
def test_many_homes(new_court):
    """40 private homes at once, more than there are helpers: all run, and all touches are seen."""
    court = new_court("--emperor-tyrant", uid=False)
    accounts = [court.accounts.pn, court.accounts.www]
    configs = {}
    for i in range(40):
        account, name = accounts[i % 2], f"n{i}.ini"
        place = court.base / f"home{i}"
        place.mkdir()
        path = court.fake(name, directory=court.work)
        os.chown(path, account.uid, account.gid)
        path.chmod(0o600)
        configs[name] = path.rename(place / name)
        os.chown(place, account.uid, account.gid)
        place.chmod(0o700)
    for name, path in configs.items():
        court.link(name, path)
    court.wait_start(*configs, deadline=10)
    for path in configs.values():
        moment = court._later(path.stat().st_mtime)
        os.utime(path, (moment, moment))
    for name in configs:
        court.wait_words(name, ["start", "1"], deadline=10)


def test_home_of_another(new_court):
    """A config in www's private home that belongs to pn: nobody may read it as pn; it is named, and others do not mind."""
    court = new_court("--emperor-tyrant", uid=False)
    home = Home(court, 0o700)
    os.chown(home.path, court.accounts.www.uid, court.accounts.www.gid)
    court.link("bad.ini", home.config)
    good = court.fake("good.ini", directory=court.work)
    os.chown(good, home.pn.uid, home.pn.gid)
    good.rename(court.vassals_dir / "good.ini")
    court.wait_start("good.ini")
    if court.kind == "regent":
        court.wait_for(lambda: "bad.ini" in court.log, what="it is named")
        court.a_while(0.3)
        assert court.starts("a.ini") == 0
    shutil.rmtree(home.path)
