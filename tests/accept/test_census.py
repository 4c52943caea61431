"""The census itself: what it must find. A check that cannot fail checks nothing."""
import signal


def test_finds_nothing(court):
    """A court that is in order: no complaint."""
    court.fake("a.ini")
    court.wait_start("a.ini")
    assert court.census() == []


def test_finds_a_process_left_over(new_court):
    """A process that outlives its vassal and its supervisor, in a session of its own."""
    court = new_court()
    court.patience = 1
    court.fake("a.ini", "fork-setsid")
    court.wait_for(lambda: "child" in court.words("a.ini"))
    child = next(pid for _, pid, word in court.history("a.ini") if word == "child")
    court.stop(signal.SIGKILL)
    found = court.census()
    assert len(found) <= 1
    assert court.kind == "regent" or f"({child}, '{court.setup.fake}'" in found[0]


def test_finds_a_descriptor(court):
    """A descriptor more than before."""
    court.patience = 1
    court.baseline = {comm: {**kinds, "socket": 99} for comm, kinds in court.baseline.items()}
    found = court.census()
    assert len(found) == 1 and found[0].startswith("descriptors before")


def test_finds_a_file(court):
    """A file left in the run directory."""
    (court.run / "forgotten").touch()
    found = court.census()
    (court.run / "forgotten").unlink()
    assert len(found) == 1 and "forgotten" in found[0]


def test_finds_what_stands_beside_a_socket(court):
    """A directory of held sockets that nobody removed."""
    left = court.out / ".socket.regent"
    left.mkdir()
    found = court.census()
    left.rmdir()
    assert len(found) == 1 and ".socket.regent" in found[0]


def test_finds_the_sanitizers_words(court):
    """A line of a sanitizer in the log, and a sanitizer's own file."""
    with court.logfile.open("a") as log:
        log.write("x.c:1:2: runtime error: shift\n")
    (court.base / "sanitizer" / "asan.1").write_text("ERROR: AddressSanitizer: heap-use-after-free")
    found = court.census()
    (court.base / "sanitizer" / "asan.1").unlink()
    court.logfile.write_text("")
    assert [word for text in found for word in ("runtime error: shift", "heap-use-after-free") if word in text] == [
        "heap-use-after-free", "runtime error: shift"]
