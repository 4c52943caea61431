"""Many random operations on a court of real uWSGI masters: in the end all is as the files, and the last stop or start, say."""
import os
import random
import signal
import time

import pytest

import client
import process
from asking import Later, by_regentctl, result

pytestmark = pytest.mark.regent_only("The supervisor's crash: vassals live on")
LONG = os.environ.get("REGENT_LONG") == "1"
MASTERS, OPERATIONS = (50, 1000) if LONG else (12, 200)
UNSEEN = 1.5  # seconds: a file's change may not be seen sooner by a court as busy as this, and a stop must come after it


class Vassal:
    """What should be, of one name."""

    def __init__(self, name):
        self.name, self.there, self.says, self.stopped = name, False, None, False
        self.changed, self.asked, self.stops = 0, [], None  # requests under way; a stop is alone


class Storm:
    def __init__(self, court, seed):
        self.court, self.dice = court, random.Random(seed)
        self.vassals = [Vassal(f"v{i}.ini") for i in range(MASTERS)]
        self.places = {place: court._make(place) for place in ("socks", "targets")}
        os.chown(self.places["socks"], court.accounts.pn.uid, court.accounts.pn.gid)
        self.version, self.told, self.deaths, self.died = 0, [], 0, 0
        self.operations = [self.drop] * 6 + [self.change] * 3 + [self.touch] * 3 + [self.remove] * 2 + [self.swap] * 3 + [
            self.kill_vassal] * 3 + [self.kill_ruler] + [self.reload] * 5 + [self.restart] * 2 + [self.stop] * 6 + [self.start] * 2

    # ---- files
    def text(self, vassal):
        self.version += 1
        vassal.says = str(self.version)
        return "\n".join(["[uwsgi]", "master = true", "processes = 1", f"socket = {self.socket(vassal)}", "vacuum = true",
                          "worker-reload-mercy = 2", f"wsgi-file = {self.court.setup.apps}/says.py", f"env = SAYS={vassal.says}", ""])

    def socket(self, vassal):
        return self.places["socks"] / vassal.name

    def _written(self, vassal, path):
        """A file or, for each third name, a link to one of its two targets; in both cases renamed into its place."""
        new = self.court.work / "new"
        if vassal.name[1:-4].isdigit() and int(vassal.name[1:-4]) % 3 == 0:
            target = self.places["targets"] / f"{vassal.name}.{self.dice.randrange(2)}"
            target.write_text(self.text(vassal))
            new.symlink_to(target)
        else:
            new.write_text(self.text(vassal))
        new.rename(path)
        vassal.there, vassal.stopped, vassal.changed = True, False, time.monotonic()

    def _path(self, vassal):
        return self.court.vassals_dir / vassal.name

    def _pick(self, there=None):
        """One that no stop is under way for."""
        able = [each for each in self.vassals if not each.stops and (there is None or each.there == there)]
        return self.dice.choice(able) if able else None

    def drop(self):
        if vassal := self._pick(there=False):
            self._written(vassal, self._path(vassal))
            return vassal.name

    def change(self):
        if vassal := self._pick(there=True):
            self._written(vassal, self._path(vassal))
            return vassal.name

    def touch(self):
        if vassal := self._pick(there=True):
            os.utime(self._path(vassal))
            vassal.stopped, vassal.changed = False, time.monotonic()
            return vassal.name

    def swap(self):
        """ln -sfn to its other target, which may be older."""
        linked = [each for each in self.vassals if each.there and not each.stops and self._path(each).is_symlink()]
        if linked:
            vassal = self.dice.choice(linked)
            now = os.readlink(self._path(vassal))
            other = now[:-1] + ("1" if now.endswith("0") else "0")
            if not os.path.exists(other):
                return None
            with open(other) as f:
                vassal.says = f.read().partition("SAYS=")[2].strip()
            (self.court.work / "new").symlink_to(other)
            (self.court.work / "new").rename(self._path(vassal))
            vassal.stopped, vassal.changed = False, time.monotonic()
            return vassal.name

    def remove(self):
        if vassal := self._pick(there=True):
            self._path(vassal).unlink()
            vassal.there, vassal.stopped, vassal.changed = False, False, time.monotonic()
            return vassal.name

    # ---- deaths
    def masters(self):
        keeper, ruler = self.court.popen.pid, self.court.ruler()
        return [pid for pid, stat in self.court.processes().items() if stat["ppid"] == keeper and pid != ruler and stat["state"] != "Z" and
                process.exe(pid) != str(self.court.setup.regent)]

    def kill_vassal(self):
        if masters := self.masters():
            pid = self.dice.choice(masters)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            return pid

    def kill_ruler(self):
        """Five in a row, then one each twelve seconds: a ruler that dies young is replaced ever later."""
        ruler = self.court.ruler()
        if ruler and (self.deaths < 5 or time.monotonic() - self.died > 12):
            os.kill(ruler, signal.SIGKILL)
            self.deaths, self.died = self.deaths + 1, time.monotonic()
            return ruler

    # ---- requests
    def _ask(self, verb, vassal):
        asked = Later(by_regentctl, self.court, verb, vassal.name)
        vassal.asked.append(asked)
        self.told.append((verb, vassal.name, asked))
        return asked

    def _start_like(self, verb):
        if vassal := self._pick(there=self.dice.random() < 0.9):
            self._ask(verb, vassal)
            vassal.stopped = False
            return vassal.name

    def reload(self):
        return self._start_like("reload")

    def restart(self):
        return self._start_like("restart")

    def start(self):
        return self._start_like("start")

    def stop(self):
        """Of one whose newest version must have been seen, and which nobody asked anything else meanwhile."""
        quiet = [each for each in self.vassals if each.there and not each.stops and time.monotonic() - each.changed > UNSEEN and
                 all(asked.done for asked in each.asked)]
        if quiet:
            vassal = self.dice.choice(quiet)
            vassal.stops = self._ask("stop", vassal)
            return vassal.name

    def _see_stops(self):
        for vassal in self.vassals:
            if vassal.stops and vassal.stops.done:
                vassal.stopped = vassal.stops.get()[-1]["status"] == 0
                vassal.stops = None

    # ---- all of it
    def rage(self, operations):
        self.counts = {}
        for _ in range(operations):
            self._see_stops()
            operation = self.dice.choice(self.operations)
            if (done := operation()) is not None:
                print(f"{time.monotonic():.3f} {operation.__name__} {done}")
                self.counts[operation.__name__] = self.counts.get(operation.__name__, 0) + 1
            time.sleep(self.dice.random() ** 2 * 0.15)

    def settle(self, deadline):
        """Every request is answered; then every vassal is as it should be."""
        end = time.monotonic() + deadline
        for verb, name, asked in self.told:
            status = asked.get(max(1, end - time.monotonic()))[-1]["status"]
            assert status in (0, 3, 5), f"{verb} {name}: {asked.value[-1]}"
        self._see_stops()
        self.court.wait_for(lambda: not self.wrong(), max(1, end - time.monotonic()), "all is as the files say")

    def wrong(self):
        """What is not as it should be: sentences."""
        try:
            found = {each["name"]: each for each in result(self.court, "status")["vassals"]}
        except (OSError, IndexError):
            return ["no ruler answers"]
        wrong = [f"{name} is there: {found[name]['state']}" for name in found if name not in {each.name for each in self.vassals if each.there}]
        for vassal in self.vassals:
            if vassal.there:
                state = found.get(vassal.name, {}).get("state")
                says = self.answer(vassal)
                if vassal.stopped and (state, says) != ("stopped", None):
                    wrong.append(f"{vassal.name} should be stopped; is {state}, says {says}")
                if not vassal.stopped and (state, says) != ("ready", vassal.says):
                    wrong.append(f"{vassal.name} should say {vassal.says}; is {state}, says {says}")
        return wrong

    def answer(self, vassal):
        try:
            return client.get(self.socket(vassal), timeout=2)[1]
        except OSError:
            return None


@pytest.fixture
def seed(request):
    chosen = request.config.getoption("--seed")
    return int(chosen) if chosen is not None else random.randrange(1 << 32)


def extra(court):
    """How many descriptors each of the two processes has beyond what it had without a vassal."""
    now = court.supervisor_kinds()
    return {comm: sum(kinds.values()) - sum(court.baseline[comm].values()) for comm, kinds in now.items()}


@pytest.mark.limit(600 if LONG else 90)
def test_random_operations(new_court, seed):
    """drop, change, touch, remove, swap, kill a vassal, kill the ruler, reload, restart, stop, start: the end is as it should be;
    no zombie, no descriptor, no byte too many. (200 on 12 masters; REGENT_LONG=1: 1,000 on 50; --seed replays the operations.)"""
    print(f"--seed={seed}")
    court = new_court("--emperor-throttle=100", "--emperor-max-throttle=1000", real=True)
    court.patience = 60
    storm = Storm(court, seed)
    for vassal in storm.vassals:
        storm._written(vassal, storm._path(vassal))
    court.wait_for(lambda: not storm.wrong(), 60 if LONG else 30, "the court runs")
    storm.rage(OPERATIONS)
    try:
        storm.settle(120 if LONG else 40)
    except AssertionError as error:
        raise AssertionError(f"--seed={seed}: {error}: {storm.wrong()}") from error
    print(storm.counts)
    running = sum(vassal.there and not vassal.stopped for vassal in storm.vassals)
    assert len(storm.masters()) == running
    assert not [pid for pid, stat in court.processes().items() if stat["state"] == "Z"]
    assert extra(court) == {"regent": 3 * running, "regent-ruler": 2 * running}  # pidfd, wire, output; wire, output
