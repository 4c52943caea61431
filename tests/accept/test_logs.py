"""Where the words go: stderr, a file, syslog; what a flood cannot do; how an end is explained."""
import json
import os
import pathlib
import re
import statistics
import time

import pytest

import private_log

LINES = "Each line a vassal prints stands in the log under its name"
SYSLOG = "With syslog each line of a vassal is a record of its own, under the vassal's name and pid"
FLOOD = "A vassal that prints as fast as it can delays nobody"
ENDS = "Each end of a vassal is explained"
DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d "


@pytest.fixture
def syslog_court(new_court):
    """syslog_court(holder, option...): a court whose /dev/log is the holder's."""
    logs = []

    def make(holder, *options):
        court = new_court(*options, start=False)
        log = holder(court.base)
        logs.append(log)
        court.command = log.enter(court.command)
        court.start()
        return court, log
    yield make
    for log in logs:
        log.end()


def printing(court, name, data, *lines):
    """A vassal that first prints these bytes."""
    (court.out / f"{name}.print").write_bytes(data)
    program = court.base / "program"
    program.write_text(f"#!/bin/sh\nfor last; do :; done\ncat \"{court.out}/$last.print\"\nexec {court.setup.fake} \"$@\"\n")
    program.chmod(0o755)
    court.fake(name, *lines)


@pytest.fixture
def printer(new_court):
    court = new_court(start=False)
    court.command += ["--emperor-wrapper", str(court.base / "program")]
    court.start()
    return court


def lines_of(court, name):
    mark = f"[{name}] "
    return [line.partition(mark)[2] for line in court.log.splitlines() if line.startswith(mark)]


# ---- stderr and files
@pytest.mark.regent_only(LINES)
def test_stderr(printer):
    """By default on stderr, [NAME] before each line of a vassal, whichever of its two outputs it took."""
    printing(printer, "a.ini", b"one\ntwo\n", "print-err=three")
    printer.wait_for(lambda: [line for line in lines_of(printer, "a.ini") if line in ("one", "two", "three")] == ["one", "two", "three"])


@pytest.mark.regent_only(LINES)
def test_long_and_unfinished_lines(printer):
    """A long line comes in pieces, none of it lost; a last line without its end comes when the vassal ends."""
    printing(printer, "long.ini", b"x" * 10000 + b"\n")
    printer.wait_for(lambda: sum(line.count("x") for line in lines_of(printer, "long.ini") if set(line) == {"x"}) == 10000)
    assert all(len(line) < 2100 for line in printer.log.splitlines())
    printing(printer, "tail.ini", b"no newline")
    printer.wait_start("tail.ini")
    printer.remove("tail.ini")
    printer.wait_for(lambda: "no newline" in lines_of(printer, "tail.ini"))


@pytest.mark.regent_only(LINES)
def test_binary_junk(printer):
    """Every byte there is: nothing but printable text reaches the log."""
    printing(printer, "a.ini", bytes(range(256)) * 20 + b"\nafter\n")
    printer.wait_for(lambda: "after" in lines_of(printer, "a.ini"))
    assert re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", printer.logfile.read_bytes()) is None
    assert r"\x1b" in printer.log


@pytest.mark.regent_only("Times in the log are ISO 8601 with their offset")
def test_log_date(new_court):
    """--log-date: every line begins with the time, ISO 8601 with its offset; the vassals' too."""
    court = new_court("--log-date")
    court.fake("a.ini", "print=hello")
    court.wait_for(lambda: "hello" in court.log and "is ready" in court.log)
    assert all(re.match(DATE, line) for line in court.log.splitlines()), court.log


@pytest.mark.regent_only("regentctl reopen: the log file anew")
def test_logto_and_reopen(new_court):
    """--logto: the words go there; renamed and reopened, later ones go to a new file, over a death of the ruler too."""
    court = new_court(start=False)
    path, old = court.base / "regent.log", court.base / "regent.log.1"
    court.command += ["--logto", str(path)]
    court.start()
    court.fake("a.ini", "print=before")
    court.wait_for(lambda: "[a.ini] before" in path.read_text())
    path.rename(old)
    court.fake("b.ini", "print=between")
    court.wait_for(lambda: "[b.ini] between" in old.read_text())
    assert court.regentctl("reopen").returncode == 0
    court.wait_for(path.exists)
    size = old.stat().st_size
    court.fake("c.ini", "print=after")
    court.wait_for(lambda: "[c.ini] after" in path.read_text())
    ruler = court.ruler()
    os.kill(ruler, 9)
    court.wait_for(lambda: court.ruler() not in (None, ruler), what="another ruler")
    court.fake("d.ini", "print=later")
    court.wait_for(lambda: "[d.ini] later" in path.read_text())
    assert "keeper: the ruler" in path.read_text()
    assert old.stat().st_size == size
    assert court.log == ""


@pytest.mark.regent_only("regentctl reopen: the log file anew")
def test_logrotate(new_court):
    """contrib/logrotate.regent under a real logrotate: the old file is moved away, later words go to a new one; without a regent no error."""
    court = new_court(start=False)
    place = court.base / "rotated"
    place.mkdir(mode=0o755)
    path = place / "regent.log"
    court.command += ["--logto", str(path)]
    court.start()
    court.fake("a.ini", "print=before")
    court.wait_for(lambda: "[a.ini] before" in path.read_text())
    snippet = (pathlib.Path(__file__).parents[2] / "contrib" / "logrotate.regent").read_text()
    config = place / "conf"
    config.write_text(snippet.replace("/var/log/regent.log", str(path)))
    words = {"REGENT_SOCKET": str(court.socket), "PATH": f"{court.setup.regentctl.parent}:{os.environ['PATH']}"}
    rotate = ["logrotate", "--force", "--state", str(place / "state"), str(config)]
    done = court.run_there(rotate, words)
    assert (done.returncode, done.stderr) == (0, "")
    old = place / "regent.log.1"
    assert "[a.ini] before" in old.read_text()
    court.wait_for(path.exists)
    court.fake("b.ini", "print=after")
    court.wait_for(lambda: "[b.ini] after" in path.read_text())
    assert "[b.ini] after" not in old.read_text()
    court.stop()
    done = court.run_there(rotate, words)
    assert done.returncode == 0 and "[b.ini] after" in old.read_text()


# ---- syslog
@pytest.mark.regent_only(SYSLOG)
def test_records(syslog_court):
    """A real rsyslog: each line a record under the vassal's name and pid, regent's own under regent; nothing on stderr."""
    court, log = syslog_court(private_log.rsyslog, "--log-syslog")
    court.fake("a.ini", "print=one", "print-err=two")
    court.fake("b c.ini", "print=of b c")
    court.wait_start("a.ini", "b c.ini")
    expected = {("a.ini", str(court.pid("a.ini")), "daemon", "info", " one"), ("a.ini", str(court.pid("a.ini")), "daemon", "info", " two"),
                ("b_c.ini", str(court.pid("b c.ini")), "daemon", "info", " of b c")}
    court.wait_for(lambda: expected <= set(log.records()), what=f"{expected} in {log.records()}")
    own = [record for record in log.records() if record[0] == "regent"]
    assert {record[1] for record in own} <= set(map(str, court.supervisors()))
    assert [record for record in own if "a.ini" in record[4]]
    assert court.log == ""


@pytest.mark.regent_only(SYSLOG)
def test_tag_and_facility(syslog_court):
    """--log-syslog=TAG,FACILITY, as uWSGI takes it."""
    court, log = syslog_court(private_log.rsyslog, "--log-syslog=court,local3")
    court.fake("a.ini", "print=one")
    court.wait_for(lambda: {("a.ini", "local3"), ("court", "local3")} <= {(tag, facility) for tag, _, facility, _, _ in log.records()})


@pytest.mark.regent_only(SYSLOG)
def test_syslog_that_does_not_read(syslog_court):
    """Nobody reads /dev/log, and a vassal prints as fast as it can: a start, a touch and a question are answered as ever."""
    court, _ = syslog_court(private_log.deaf, "--log-syslog")
    court.fake("flood.ini", "flood")
    court.wait_start("flood.ini")
    court.a_while(0.5)
    before = time.monotonic()
    court.fake("a.ini")
    court.wait_start("a.ini")
    court.touch("a.ini")
    court.wait_words("a.ini", ["start", "1"])
    assert court.regentctl("status").returncode == 0
    assert time.monotonic() - before < 2


@pytest.mark.regent_only(SYSLOG)
def test_no_syslog(syslog_court):
    """/dev/log goes away: the words go to stderr meanwhile."""
    court, log = syslog_court(private_log.rsyslog, "--log-syslog")
    court.fake("a.ini", "print=one")
    court.wait_for(lambda: [record for record in log.records() if record[4] == " one"])
    log.end()
    court.fake("b.ini", "print=two")
    court.wait_for(lambda: "[b.ini] two" in court.log)


# ---- a flood
def touch_times(court, name, n):
    times = []
    for _ in range(n):
        known = len(court.bytes(name))
        before = time.monotonic_ns()
        court.touch(name)
        court.wait_for(lambda: len(court.bytes(name)) > known, what="byte 1")
        times.append((court.history(name)[-1][0] - before) / 1e9)
        court.wait_for(lambda: court.regentctl("wait", name, "--for=ready", "--timeout=5").returncode == 0, what="it is ready again")
    return statistics.median(times)


@pytest.mark.regent_only(FLOOD)
@pytest.mark.limit(60)
def test_touch_during_a_flood(new_court):
    """A touch of the flooding vassal itself, and of another, takes less than 10 times what it takes without; status counts what is dropped."""
    court = new_court()
    court.fake("a.ini")
    court.wait_start("a.ini")
    quiet = touch_times(court, "a.ini", 7)
    court.fake("flood.ini", "flood")
    court.wait_start("flood.ini")
    court.a_while(0.5)
    loud = {name: touch_times(court, name, 7) for name in ("a.ini", "flood.ini")}
    assert all(median < 10 * quiet + 0.02 for median in loud.values()), (quiet, loud)
    status = json.loads(court.regentctl("status", "flood", "--json").stdout.splitlines()[-1])
    assert status["vassals"][0]["dropped_lines"] > 1000
    assert court.log.count("prints faster than") == 1


# ---- explanations
@pytest.mark.regent_only(ENDS)
def test_same_failure_again_and_again(new_court):
    """A vassal that dies in the same way at each start: said once, not each time."""
    court = new_court("--emperor-no-blacklist")
    court.fake("bad.ini", "exit-after=1")
    court.wait_start("bad.ini", count=15)
    for words in ("exited 1", "closed its wire"):
        assert court.log.count(words) <= 3, court.log
    court.fake("bad.ini", "exit-after=22")
    court.wait_for(lambda: re.search(r"exited 1.* \(\d+ times more\)", court.log) and "exited 22" in court.log)


@pytest.mark.regent_only(ENDS)
@pytest.mark.parametrize("how, words", [("exit-at-start=22", "exited 22: no app could be loaded"), ("exit-at-start=1", "exited 1: it could not start"),
                                        ("segv", "killed by SIGSEGV"), ("exit-at-start=0", "exited 0")])
def test_end_is_explained(court, how, words):
    """The exit status by its meaning for uWSGI, the signal by its name."""
    court.fake("a.ini", "print=the last words", how)
    court.wait_for(lambda: [line for line in court.log.splitlines() if line.startswith("[a.ini] ") and words in line], what=words)
    assert "[a.ini] the last words" in court.log


@pytest.mark.regent_only(ENDS)
def test_words_are_elsewhere(court):
    """A vassal whose logger writes to a file: its end names the file."""
    court.write("a.ini", court.text("a.ini", ["exit-at-start=1"]) + f"logger = file:{court.out}/its.log\n")
    court.wait_for(lambda: f"[a.ini] its words are in {court.out}/its.log" in court.log)
