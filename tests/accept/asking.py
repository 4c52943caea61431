"""Questions to a court's control socket, by regentctl and by hand, and what came of them."""
import json
import shlex
import threading


def quoted(word):
    """A word of the request line."""
    return word if word and not set(word) & set(' \t"') else '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def by_socket(court, *words):
    return court.ask(" ".join(map(quoted, words)))


def by_regentctl(court, *words):
    done = court.regentctl("--json", *words)
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert objects, f"{shlex.join(words)}: {done.stderr}"
    assert done.returncode == objects[-1]["status"], done
    return objects


WAYS = {"socket": by_socket, "regentctl": by_regentctl}


def result(court, *words):
    return by_socket(court, *words)[-1]


def status_of(court, name):
    """The object of `status NAME`; {} if there is no such vassal."""
    found = result(court, "status", name)
    return found["vassals"][0] if found["status"] == 0 else {}


def wait_state(court, name, *states, deadline=10):
    court.wait_for(lambda: status_of(court, name).get("state") in states, deadline, f"{name} is {states}, not {status_of(court, name)}")


class Later:
    """A call in a thread of its own; get() waits for its value."""

    def __init__(self, call, *args, **kwargs):
        self.value, self.error = None, None
        self.thread = threading.Thread(target=self._run, args=(call, args, kwargs), daemon=True)
        self.thread.start()

    def _run(self, call, args, kwargs):
        try:
            self.value = call(*args, **kwargs)
        except BaseException as error:  # goes to who asks for the value
            self.error = error

    @property
    def done(self):
        return not self.thread.is_alive()

    def get(self, deadline=20):
        self.thread.join(deadline)
        assert self.done, "it has not come back"
        if self.error:
            raise self.error
        return self.value
