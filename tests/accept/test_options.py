"""The command line: what is refused before anything starts, what is only a warning, --check."""
import os
import subprocess

import pytest

USAGE = "Wrong usage: one line that names it, exit status 2, nothing started"
CHECK = "--check: everything is checked, nothing is started"

# What Debian's package uwsgi-emperor installs, save its comments.
DEBIAN = """[uwsgi]
master = true
workers = 2
no-orphans = true
log-date = true
uid = www-data
gid = www-data
emperor = /etc/uwsgi-emperor/vassals
"""


@pytest.fixture
def run(setup, tmp_path):
    """Runs the supervisor on an empty directory of vassals with these words; it must end by itself."""
    (tmp_path / "vassals").mkdir()
    (tmp_path / "run").mkdir()

    def go(*words, base=("--emperor", tmp_path / "vassals", "--uid", setup.accounts.pn.name, "--gid", setup.accounts.pn.name)):
        command = [setup.regent, "--run-directory", tmp_path / "run", *base] if setup.kind == "regent" else ["uwsgi", *base]
        return subprocess.run([*map(str, command), *map(str, words)], capture_output=True, text=True, timeout=10, cwd=tmp_path,
                              stdin=subprocess.DEVNULL)
    go.path = tmp_path
    return go


def expect_usage(done, path, *words):
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines), done.stdout) == (2, 1, ""), done
    assert lines[0].startswith("regent: ") and all(word in lines[0] for word in words)
    assert os.listdir(path / "run") == []


@pytest.mark.regent_only(USAGE)
@pytest.mark.parametrize("words, named", [
    (["--no-such-option"], ["no-such-option"]), (["--emperor-frequency=3"], ["emperor-frequency"]), (["-Z"], ["Z"]),
    (["--pidfile"], ["pidfile"]), (["--emperor-freq", "often"], ["emperor-freq", "often"]), (["--emperor-freq=-1"], ["emperor-freq"]),
    (["--max-starting="], ["max-starting"]), (["--handover=perhaps"], ["handover", "perhaps"]), (["--drain", "11"], ["drain", "11"]), (["--ini", "/nowhere/x.ini"], ["/nowhere/x.ini"]), (["--emperor-broodlord=3"], ["emperor-broodlord"]),
    (["--control-allow", "pn"], ["control-allow", "pn"]), (["--log-syslog=tag,nosuch"], ["log-syslog"]), (["stray"], ["stray"])])
def test_wrong_words(run, words, named):
    """An unknown option, a missing or wrong value, what regent does not do: one line that names it."""
    expect_usage(run(*words), run.path, *named)


@pytest.mark.regent_only(USAGE)
def test_no_such_user(run):
    """A user or group that does not exist, and root where nobody said so."""
    vassals = ("--emperor", run.path / "vassals")
    expect_usage(run(base=(*vassals, "--uid", "no-such-user", "--gid", "daemon")), run.path, "uid", "no-such-user")
    expect_usage(run(base=(*vassals, "--uid", "daemon", "--gid", "no-such-group")), run.path, "gid", "no-such-group")
    expect_usage(run(base=(*vassals, "--uid", "root", "--gid", "daemon")), run.path, "--uid", "vassals-as-root")
    expect_usage(run("--vassal-users", "no-such-user", base=vassals), run.path, "vassal-users", "no-such-user")
    expect_usage(run(base=()), run.path, "emperor")


def with_ini(court, text):
    path = court.base / "emperor.ini"
    path.write_text(text)
    return ["--ini", str(path)]


def test_unknown_key_in_an_ini(new_court):
    """An unknown key in the emperor's own ini: it rules all the same."""
    court = new_court(start=False)
    court.command += with_ini(court, "[uwsgi]\nno-such-key = 1\n")
    court.start()
    court.fake("a.ini")
    court.wait_start("a.ini")
    if court.kind == "regent":
        assert [line for line in court.log.splitlines() if "no-such-key" in line and "warning" in line and "emperor.ini:2" in line]


@pytest.mark.regent_only(USAGE)
def test_strict(run):
    """--strict, or strict = true in the ini itself: an unknown key there is wrong usage."""
    path = run.path / "emperor.ini"
    path.write_text("[uwsgi]\nno-such-key = 1\n")
    expect_usage(run("--strict", "--ini", path), run.path, "no-such-key", "emperor.ini:2")
    path.write_text("[uwsgi]\nno-such-key = 1\nstrict = true\n")
    expect_usage(run("--ini", path), run.path, "no-such-key", "emperor.ini:2")


@pytest.mark.regent_only(CHECK)
def test_debians_ini(run):
    """The ini that Debian's uwsgi-emperor installs: no complaint but that its directory is not there."""
    path = run.path / "emperor.ini"
    path.write_text(DEBIAN.replace("/etc/uwsgi-emperor/vassals", str(run.path / "vassals")).replace("www-data", "daemon"))
    done = run("--ini", path, "--check", base=())
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "0 vassals looked at, 0 with faults" in done.stdout


@pytest.mark.regent_only(CHECK)
def test_check(run):
    """--check: 0 for good configs; each bad one, a dangling link and a missing directory are named, and the status is 2."""
    vassals = run.path / "vassals"
    (vassals / "good.ini").write_text("[uwsgi]\nmodule = x\n")
    (vassals / "not-one.txt").write_text("=")
    done = run("--check")
    assert (done.returncode, done.stdout.splitlines()) == (0, ["1 vassals looked at, 0 with faults"]), done
    assert os.listdir(run.path / "run") == []
    (vassals / "dangling.ini").symlink_to("/nowhere")
    (vassals / "big.ini").write_bytes(b"[uwsgi]\n" + b"#" * (5 << 20))
    (vassals / "nul.ini").write_bytes(b"[uwsgi]\nmodule = x\nmo\0dule = y\n")
    done = run("--check")
    assert done.returncode == 2
    for name in ("dangling.ini", "big.ini", "nul.ini"):
        assert [line for line in done.stdout.splitlines() if f"/{name}" in line], (name, done.stdout)
    assert "good.ini" not in done.stdout
    done = run("--check", "--emperor", run.path / "nowhere")
    assert done.returncode == 2 and f"{run.path}/nowhere" in done.stdout


@pytest.mark.regent_only(CHECK)
def test_check_of_ids(run):
    """--check with neither --uid nor tyrant: who names no user, or root, or an unknown one, is named."""
    vassals = run.path / "vassals"
    for name, line in (("none", ""), ("root", "uid = root"), ("unknown", "uid = no-such-user"), ("good", "uid = daemon")):
        (vassals / f"{name}.ini").write_text(f"[uwsgi]\n{line}\n")
    done = run("--check", base=("--emperor", vassals))
    assert done.returncode == 2 and "good.ini" not in done.stdout
    for name in ("none", "root", "unknown"):
        assert f"/{name}.ini: " in done.stdout


@pytest.mark.regent_only(CHECK)
def test_check_of_deploys(run):
    """--check: an ini that asks for a handover and cannot have it is a fault; what only the command line asks for is said, and is none."""
    path = run.path / "vassals" / "a.ini"
    path.write_text("[uwsgi]\nmodule = x\nsocket = @a\n")
    assert run("--check").stdout.splitlines() == ["1 vassals looked at, 0 with faults"]
    done = run("--check", "--handover")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2) and "line 3: socket = @a" in done.stdout
    path.write_text(path.read_text() + "[regent]\nhandover = yes\n")
    done = run("--check")
    assert done.returncode == 2 and "it cannot be what its ini asks for: line 3: socket = @a" in done.stdout


@pytest.mark.regent_only(CHECK)
def test_help_and_version(run):
    """--help lists the options, --version is one line; both with status 0 and whatever else is said."""
    done = run("--help", "--strict")
    assert done.returncode == 0 and "--emperor-tyrant" in done.stdout and "--control-socket" in done.stdout and done.stderr == ""
    done = run("--version", base=())
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("regent ")


@pytest.mark.regent_only("One regent a run directory")
def test_second_regent(court):
    """A second regent on the same run directory ends at once, and the first does not notice."""
    second = subprocess.run(court.command, capture_output=True, text=True, timeout=10, env=court.env)
    assert second.returncode == 1
    assert "another regent rules from" in second.stderr and str(court.run) in second.stderr
    court.fake("a.ini")
    court.wait_start("a.ini")
    assert court.regentctl("status", "a").returncode == 0
