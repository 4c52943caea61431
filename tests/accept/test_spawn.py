"""How a vassal is born: argv, environment, descriptors, working directory, signals, limits, identity. The expected values stand
here as literals, so that both supervisors are held against the same ones."""
import os
import resource
import socket

import pytest

SIGPIPE_IGNORED = "0000000000001000"  # the Emperor ignores SIGPIPE, and what is ignored survives exec
GLIBCS_OWN = 3 << 31  # signals 32 and 33: what make starts has them ignored (posix_spawn), and hands that on
NOTHING = "0000000000000000"


def test_type_from_extension(court):
    """argv is BINARY --TYPE NAME, the type taken from the extension, the name relative to the directory."""
    types = {"a.ini": "--ini", "b.xml": "--xml", "c.yml": "--yaml", "d.yaml": "--yaml", "e.js": "--json", "f.json": "--json"}
    for name in types:
        court.fake(name, "record")
    for name, word in types.items():
        assert court.record(name)["argv"] == [str(court.setup.fake), word, name]


def test_descriptors(court):
    """stdin is /dev/null; one stream socket beyond stderr is the wire, blocking, inherited over exec; nothing else is open."""
    for name in ("a.ini", "b.ini", "c.ini"):
        court.fake(name, "record")
    for name in ("a.ini", "b.ini", "c.ini"):
        born = court.record(name)
        wire = born["environ"]["UWSGI_EMPEROR_FD"]
        assert sorted(born["fds"], key=int) == ["0", "1", "2", wire]
        assert born["fds"]["0"]["link"] == "/dev/null"
        assert born["fds"]["0"]["flags"] & os.O_ACCMODE == os.O_RDWR
        assert born["fds"][wire]["link"].startswith("socket:[")
        assert born["fds"][wire]["flags"] == os.O_RDWR
        assert all(fd["cloexec"] == 0 for fd in born["fds"].values())
        if court.kind == "regent":  # intended: every line has an owner; the wire has a fixed place
            assert wire == "3"
            assert born["fds"]["1"]["link"].startswith("pipe:[")
            assert born["fds"]["2"]["link"].startswith("pipe:[")
        else:
            assert born["fds"]["1"]["link"] == born["fds"]["2"]["link"] == str(court.logfile)


def test_wire_is_a_stream_pair(court):
    """Bytes 1 and 5 go up one by one or together, byte 1 comes down, and is answered."""
    court.fake("a.ini")
    court.wait_start("a.ini")
    court.touch("a.ini")
    court.wait_words("a.ini", ["start", "1"])


def test_environment(new_court):
    """The supervisor's own environment and the wire's number; UWSGI_RELOADS and NOTIFY_SOCKET are gone."""
    court = new_court(start=False)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(court.out / "notify"))
    os.chmod(court.out / "notify", 0o777)
    court.env |= {"DJANGO_SETTINGS_MODULE": "physionet.settings.production", "PHYSIONET_LOCK_FILE": "/data/lock", "EMPTY": "",
                  "NOTIFY_SOCKET": str(court.out / "notify"), "UWSGI_RELOADS": "3"}
    court.start()
    court.fake("a.ini", "record")
    born = court.record("a.ini")
    wire = born["environ"].pop("UWSGI_EMPEROR_FD")
    assert wire.isdigit()
    assert sorted(born["environ"].items()) == sorted({
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "ASAN_OPTIONS": f"log_path={court.base}/sanitizer/asan",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "REGENT_ACCEPT_COURT": court.base.name,
        "DJANGO_SETTINGS_MODULE": "physionet.settings.production",
        "PHYSIONET_LOCK_FILE": "/data/lock",
        "EMPTY": "",
        "UWSGI_ORIGINAL_PROC_NAME": "uwsgi",
    }.items())
    notify.close()


@pytest.mark.regent_only("UWSGI_VASSAL_X becomes UWSGI_X, as uWSGI documents; 2.0.21 mangles the variable after it instead")
def test_vassal_variables(new_court):
    """UWSGI_VASSAL_X=v in the supervisor's environment is UWSGI_X=v in the vassal's."""
    court = new_court(env={"UWSGI_VASSAL_FOO": "bar", "OTHER": "1", "UWSGI_VASSAL_SECOND": "a=b", "UWSGI_VASSAL_LAST": ""})
    court.fake("a.ini", "record")
    born = court.record("a.ini")["environ"]
    assert [born[key] for key in ("UWSGI_FOO", "OTHER", "UWSGI_SECOND", "UWSGI_LAST")] == ["bar", "1", "a=b", ""]
    assert not any(key.startswith("UWSGI_VASSAL_") for key in born)


def test_place_and_signals(court):
    """Working directory, umask, blocked, ignored and caught signals, nice, session."""
    court.fake("a.ini", "record")
    born = court.record("a.ini")
    assert born["cwd"] == str(court.vassals_dir)
    assert born["umask"] == 0o027  # what the supervisor was started with
    assert born["status"]["SigBlk"] == NOTHING
    ignored = int(born["status"]["SigIgn"], 16) & ~GLIBCS_OWN
    assert f"{ignored:016x}" == SIGPIPE_IGNORED
    assert born["status"]["SigCgt"] == NOTHING
    assert born["status"]["ShdPnd"] == NOTHING
    assert born["nice"] == 0
    assert born["oom_score_adj"].strip() == "0"
    assert born["dumpable"] == 1
    if court.kind == "regent":  # intended: a session of its own; and vassals outlive a ruler
        assert born["sid"] == born["pgid"] == born["pid"]
        assert born["pdeathsig"] == 0
    else:
        assert born["sid"] == born["pgid"] == court.popen.pid
        assert born["pdeathsig"] == 9


def test_limits_and_privileges(court):
    """Resource limits are the supervisor's own; no capability, no seccomp, no no_new_privs, no securebits."""
    court.fake("a.ini", "record")
    born = court.record("a.ini")
    status = born["status"]
    files = next(line.split() for line in born["limits"].splitlines() if line.startswith("Max open files"))
    assert [files[3], files[4]] == [str(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE)]
    with open("/proc/self/limits") as f:
        assert born["limits"] == f.read()
    assert [status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [NOTHING] * 4
    with open("/proc/self/status") as f:
        assert f"CapBnd:\t{status['CapBnd']}\n" in f.read()  # sudo and setuid programs work inside
    assert [status["NoNewPrivs"], status["Seccomp"]] == ["0", "0"]
    assert [born["securebits"], born["keepcaps"]] == [0, 0]


def test_templates_in_order(new_court):
    """*-before lists, then --set, then the config, then inherit and include."""
    court = new_court("--vassals-include", "i1", "--vassals-inherit", "t1", "--vassal-set", "a=1", "--vassals-set", "b=2 3",
                      "--vassals-inherit", "t2", "--vassals-include-before", "ib1", "--vassals-inherit-before", "tb1",
                      "--vassals-include", "i2", "--vassals-inherit-before", "tb2", "--vassals-include-before", "ib2")
    court.fake("a.ini", "record")
    assert court.record("a.ini")["argv"] == [
        str(court.setup.fake), "--inherit", "tb1", "--inherit", "tb2", "--include", "ib1", "--include", "ib2",
        "--set", "a=1", "--set", "b=2 3", "--ini", "a.ini",
        "--inherit", "t1", "--inherit", "t2", "--include", "i1", "--include", "i2"]


def test_extra_extension(new_court):
    """--emperor-extra-extension: such a file is given as --config."""
    court = new_court("--emperor-extra-extension", ".site", "--emperor-extra-ext", ".cfg")
    for name in ("a.site", "b.cfg", "c.ini"):
        court.fake(name, "record")
    assert court.record("a.site")["argv"][1:] == ["--config", "a.site"]
    assert court.record("b.cfg")["argv"][1:] == ["--config", "b.cfg"]
    assert court.record("c.ini")["argv"][1:] == ["--ini", "c.ini"]


def test_names(court):
    """Blanks, quotes, non-ASCII, a leading dash or dot: a name is taken as it is."""
    names = ["my site.ini", "o'hara \"q\".ini", "größe.ini", "-dash.ini", ".hidden.ini", "a;b$c.ini"]
    for i, name in enumerate(names):
        court.write(name, f"[uwsgi]\n;fake record={court.out}/{i}.ini.json\n")
    for i, name in enumerate(names):
        argv = court.record(f"{i}.ini")["argv"]
        assert argv[1:] == ["--ini", name.encode().decode("latin-1")]  # JSON of bytes


def test_length_of_names(court):
    """254 bytes are a name; 255 are not."""
    longest, beyond = "l" * 250 + ".ini", "l" * 251 + ".ini"
    court.write(beyond, f"[uwsgi]\n;fake log={court.out}/beyond.log\n")
    court.write(longest, f"[uwsgi]\n;fake log={court.out}/longest.log\n")
    court.wait_start("longest")
    court.a_while(0.3)
    assert court.starts("beyond") == 0


def test_wrapper(new_court):
    """--emperor-wrapper is execed instead of the binary, with the same arguments."""
    court = new_court("--emperor-wrapper", "/usr/bin/env-wrapper", start=False)
    wrapper = court.work / "wrapper"
    wrapper.write_text(f'#!/bin/sh\necho "$0 $*" >{court.out}/wrapper\nexec {court.setup.fake} "$@"\n')
    wrapper.chmod(0o755)
    court.command[court.command.index("/usr/bin/env-wrapper")] = str(wrapper)
    court.start()
    court.fake("a.ini", "record")
    assert court.record("a.ini")["argv"] == [str(court.setup.fake), "--ini", "a.ini"]
    assert (court.out / "wrapper").read_text() == f"{wrapper} --ini a.ini\n"


def test_binary_found_on_path(new_court):
    """--binary-path without a slash is looked up on PATH, and is argv[0] as given."""
    court = new_court(start=False)
    tools = court.work / "bin"
    tools.mkdir()
    (tools / "my-vassal").symlink_to(court.setup.fake)
    court.env["PATH"] = f"{tools}:{court.env['PATH']}"
    court.command[court.command.index(str(court.setup.fake))] = "my-vassal"
    court.start()
    court.fake("a.ini", "record")
    born = court.record("a.ini")
    assert born["argv"] == ["my-vassal", "--ini", "a.ini"]
    assert born["exe"] == str(court.setup.fake)


def test_binary_is_resolved_at_each_start(new_court):
    """A new binary under the same path is used by the next start."""
    court = new_court(start=False)
    binary = court.work / "vassal"
    binary.symlink_to(court.setup.fake)
    court.command[court.command.index(str(court.setup.fake))] = str(binary)
    court.start()
    court.fake("a.ini")
    court.wait_start("a.ini")
    binary.unlink()
    binary.write_text(f'#!/bin/sh\necho new >{court.out}/new\nexec {court.setup.fake} "$@"\n')
    binary.chmod(0o755)
    court.fake("b.ini", "record")
    court.record("b.ini")
    assert (court.out / "new").read_text() == "new\n"


def test_glob(new_court):
    """A glob's vassals have the matched path as their name and the supervisor's own working directory."""
    court = new_court(start=False)
    court.command[1] = f"--emperor={court.vassals_dir}/site-*.ini"
    court.start()
    court.fake("site-a.ini", "record")
    court.fake("other.ini", "record")
    born = court.record("site-a.ini")
    assert born["argv"][1:] == ["--ini", f"{court.vassals_dir}/site-a.ini"]
    assert born["cwd"] == str(court.work)
    court.a_while(0.3)
    assert court.starts("other.ini") == 0


def test_two_directories(new_court):
    """--emperor twice: each vassal works in the directory it was found in."""
    court = new_court(start=False)
    second = court._make("second")
    court.command.insert(2, f"--emperor={second}")
    court.start()
    court.fake("a.ini", "record")
    court.fake("b.ini", "record", directory=second)
    assert court.record("a.ini")["cwd"] == str(court.vassals_dir)
    assert court.record("b.ini")["cwd"] == str(second)
    (second / "b.ini").unlink()


def test_options_from_an_ini(new_court):
    """The emperor's own options may stand in an ini, Debian's among them."""
    court = new_court(start=False)
    ini = court.work / "emperor.ini"
    pn = court.accounts.pn.name
    ini.write_text(f"[uwsgi]\nautoload = true\nno-orphans = true\nlog-date = true\nuid = {pn}\ngid = {pn}\n"
                   f"emperor = {court.vassals_dir}\nvassal-set = from=ini\n")
    dropped = (f"--emperor={court.vassals_dir}", "--uid", "--gid", pn)
    court.command = [court.command[0], "--ini", str(ini), *(word for word in court.command[1:] if word not in dropped)]
    court.start()
    court.fake("a.ini", "record")
    born = court.record("a.ini")
    assert born["argv"][1:] == ["--set", "from=ini", "--ini", "a.ini"]
    assert born["status"]["Uid"].split() == [str(court.accounts.pn.uid)] * 4


@pytest.mark.limit(30)
def test_many_have_nothing_of_each_other(court):
    """30 vassals at once: each has its own wire and no descriptor of another."""
    names = [f"{i}.ini" for i in range(30)]
    for name in names:
        court.fake(name, "record")
    wires = set()
    for name in names:
        born = court.record(name)
        assert len(born["fds"]) == 4
        wires.add(born["fds"][born["environ"]["UWSGI_EMPEROR_FD"]]["link"])
    assert len(wires) == 30
