"""Broken deploys: the old code serves on, who asked is told stage, reason and last words, and the vassal is stale until a good one."""
import signal

import pytest

from asking import Later, by_regentctl, by_socket, result
from load import Figures
from load_apps import NEED_APP, Place, serve, site

pytestmark = pytest.mark.regent_only("Handover: a deploy cannot break the site")

LAZY, LIMIT = "lazy-apps = true", "limit-as = 1024"
HEALTH = "health = /health"
NO_APP = "no app could be loaded"
# name: (kind of the code, lines of the ini, lines of [regent], stage, in the reason, in the last lines)
BROKEN = {
    "raises": ("raises", [NEED_APP], [], "exit", NO_APP, "the settings are gone"),
    "raises-lazily": ("raises", [NEED_APP, LAZY], [], "exit", NO_APP, "the settings are gone"),
    "raises-and-serves": ("raises", [], [], "no-app", NO_APP, "the settings are gone"),
    "missing": ("missing module", [NEED_APP], [], "exit", NO_APP, "No module named 'no_such_module'"),
    "syntax": ("syntax", [NEED_APP], [], "exit", NO_APP, "SyntaxError"),
    "sys-exit": ("sys.exit", [], [], "exit", "exited", ""),
    "os-exit": ("os._exit", [], [], "exit", "exited 4", ""),
    "segfault": ("segfault", [], [], "exit", "exited", "Segmentation Fault"),
    "hangs": ("hangs", [], ["start-timeout = 3"], "timeout", "start-timeout", "it hangs"),
    "respawns": ("os._exit", [LAZY], ["start-timeout = 3"], "timeout", "start-timeout", "Respawned"),
    "health-500": ("health 500", [], [HEALTH], "probe", "was 500", "asked for its health"),
    "health-hangs": ("health hangs", [], [HEALTH, "health-timeout = 0.5"], "probe", "no answer", "asked for its health"),
    "memory": ("memory", [NEED_APP, LIMIT], [], "exit", NO_APP, "MemoryError"),
    "strict": ("good", ["strict = true"], [], "exit", "exited 1", "no-such-option"),
}


class Case:
    def __init__(self, court, name):
        self.kind, self.lines, self.regent, *self.expected = BROKEN[name]
        self.place, self.regent = Place(court, name), ["handover = yes", *self.regent]
        if "hangs" in self.kind:
            self.place.fifo(self.kind.replace("health hangs", "health").replace("hangs", "import"))
        self.config("one", "good")
        self.load = None

    def config(self, version, kind, *lines):
        self.place.code(version, kind)
        self.place.config(*self.lines, *lines, regent=self.regent)

    def begin(self):
        self.place.says("one", 30)
        self.place.wait_ready(30)
        self.load = self.place.load(rate=40)

    def broken(self):
        """What is wrong with what came of it: sentences."""
        if "strict = true" in self.lines:
            self.config("broken", "good", "no-such-option = 1")  # a changed config: the reload that it makes is joined or repeated
        else:
            self.place.code("broken", self.kind)
        answer = result(self.place.court, "reload", self.place.ini)["vassals"][0]
        stage, reason, last = self.expected
        found, log = self.place.status(), self.place.court.log
        return [sentence for sentence, wrong in {
            f"status 1, not {answer['status']}": answer["status"] != 1,
            f"verdict: {answer['text']}": "the old code serves on" not in answer["text"],
            f"stage {stage}, not {answer['stage']}": answer["stage"] != stage,
            f"reason {reason}, not {answer['reason']}": reason not in answer["reason"],
            f"last lines with {last}, not {answer['last_lines']}": last not in (answer["last_lines"] or ""),
            f"status shows {found}": (found["state"], found["stale"], found["stage"]) != ("ready", True, stage),
            "not stale in the log": f"[{self.place.ini}]" not in "".join(line for line in log.splitlines() if "stale" in line),
            f"it serves {self.place.get()}": self.place.get() != (200, "one"),
        }.items() if wrong]

    def repaired(self):
        if "strict = true" in self.lines:
            self.config("two", "good")
        else:
            self.place.code("two")
        done = result(self.place.court, "reload", self.place.ini)
        self.place.wait_ready()
        found = self.place.status()
        return [sentence for sentence, wrong in {
            f"repaired: {done}": done["status"] != 0,
            f"repaired, status shows {found}": (found["state"], found["stale"], found["restarts"]) != ("ready", False, 0),
            f"repaired, it serves {self.place.get()}": self.place.get() != (200, "two"),
        }.items() if wrong]

    def served(self):
        """Nothing failed, nobody saw the broken one."""
        figures: Figures = self.load.stop()
        return [figures.words()] if figures.bad or set(figures["versions"]) != {"one", "two"} else []


def all_at_once(cases, step):
    later = {name: Later(getattr(case, step)) for name, case in cases.items()}
    return [f"{name}: {sentence}" for name, answer in later.items() for sentence in answer.get(60) or ()]


@pytest.mark.limit(90)
def test_each_kind(new_court):
    """Each way to be broken: status 1, stage, reason, last lines; stale in status and log; the old version serves, no request fails, nobody
    sees the new one; a good deploy clears it."""
    court, _ = site(new_court, "--max-starting=0", name="unused")
    cases = {name: Case(court, name) for name in BROKEN}
    try:
        wrong = [sentence for step in ("begin", "broken", "repaired", "served") for sentence in all_at_once(cases, step)]
        assert not wrong, "\n".join(wrong)
    finally:
        for case in cases.values():
            if case.load:
                case.load.__exit__()


# ---- nobody asked
def test_stale_without_an_asker(new_court):
    """A touch, and HUP, of broken code: stale in status, events and log; the state is told to who follows events; a good touch clears it."""
    place = serve(new_court, lines=[NEED_APP])
    court = place.court
    with place.load() as load:
        for number, ask in enumerate((lambda: court.touch(place.ini), lambda: court.send(signal.SIGHUP))):
            place.code("broken", "raises")
            cycle = place.status()["cycle"]
            ask()
            court.wait_for(lambda: place.status()["cycle"] > cycle)
            place.wait_ready()
            assert place.status()["stale"]
            event = [event for event in by_socket(court, "events", place.ini) if "event" in event][-1]
            assert (event["to"], event["stale"]) == ("ready", True)
            assert court.log.count("stale") > number
            place.code(f"good {number}")
            court.touch(place.ini)
            place.says(f"good {number}")
            place.wait_ready()
            assert not place.status()["stale"]
        load.stop().assert_served("one", "good 0", "good 1")


def test_exit_status_and_words(new_court):
    """regentctl: status 1, on stdout the verdict in words, on stderr the reason and the last lines; --all: the worst, who is stale is named."""
    place = serve(new_court, lines=[NEED_APP])
    other = Place(place.court, "other")
    other.code("one")
    other.config()
    other.wait_ready()
    place.code("broken", "raises")
    for words in (("reload", place.ini), ("reload", "--all")):
        done = place.court.regentctl(*words)
        assert done.returncode == 1, done
        assert place.ini in done.stdout and "old code" in done.stdout.splitlines()[-1]
        assert "the settings are gone" in done.stderr
    assert (place.get(), other.get()) == ((200, "one"), (200, "one"))
    assert by_regentctl(place.court, "status", place.ini)[-1]["vassals"][0]["stale"]
    assert "stale" in place.court.regentctl("status").stdout


def test_broken_from_the_beginning(new_court):
    """Nothing served yet: 3, and down; what is deployed then is a first start. The code that serves has no app (it answers 500): a broken one does
    not replace it, and a good one is handed over to."""
    court, place = site(new_court)
    other = Place(court, "other")
    for one, lines in ((place, [NEED_APP]), (other, [])):
        one.code("broken", "raises")
        one.config(*lines)
    court.wait_for(lambda: place.status().get("state") == "blacklisted" and other.status().get("state") == "broken")
    assert other.get()[0] == 500
    master = other.status()["pid"]
    assert [result(court, "reload", one.ini)["status"] for one in (place, other)] == [3, 3]
    assert other.status()["pid"] == master
    for one in (place, other):
        one.code("two")
        assert result(court, "reload", one.ini)["status"] == 0
        assert one.get() == (200, "two")
