"""Three courts of fake vassals: under uWSGI's Emperor, under regent, and the bare floor. Each has directories of its own and is
driven in the same way; what they do is read from what the vassals write (CLOCK_MONOTONIC, ns)."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER = "daemon"  # whom the vassals run as: any user that every machine has
POLL = 0.005
DEADLINE = 120
OLD = 1000  # seconds: how old a config is when it is dropped


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def wait_for(predicate, deadline=DEADLINE, what=""):
    """The predicate's value once it is true; its last value after the deadline, or an error if what is said to be awaited."""
    end = time.monotonic() + deadline
    while not (value := predicate()) and time.monotonic() < end:
        time.sleep(POLL)
    if not value and what:
        raise RuntimeError(f"not within {deadline} s: {what}")
    return value


class Words:
    """A file that vassals append to, read as it grows."""

    def __init__(self, path):
        self.path, self.at, self.lines = path, 0, []

    def read(self):
        """[(ns, pid, word)] of all there is."""
        if self.path.exists():
            with open(self.path, "rb") as f:
                f.seek(self.at)
                more = f.read()
            whole = more[:more.rfind(b"\n") + 1]
            self.at += len(whole)
            self.lines += [(int(ns), int(pid), word.decode()) for ns, pid, word in (line.split(b" ", 2) for line in whole.splitlines())]
        return self.lines

    def times(self, word):
        return [ns for ns, _, found in self.read() if found == word]


class Court:
    """own_words: each vassal writes a file of its own (to tell them apart), else all write the same."""
    kind = None

    def __init__(self, programs, n, own_words=False):
        self.programs, self.n, self.own_words = programs, n, own_words
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="regent-bench-"))
        self.base.chmod(0o755)
        self.vassals, self.out, self.run, self.work = (self._make(name) for name in ("vassals", "out", "run", "work"))
        self.out.chmod(0o777)
        self.shared, self.popen, self.mtimes = Words(self.out / "words"), None, {}
        self.control = self.run / "control.sock"
        self.stats = self.run / "stats.sock"

    def _make(self, name):
        path = self.base / name
        path.mkdir()
        return path

    # ---- configs
    @staticmethod
    def name(i):
        return f"v{i:05d}.ini"

    def words(self, i):
        return Words(self.out / f"{self.name(i)}.words") if self.own_words else self.shared

    def prepare(self):
        """The configs, ready to be dropped."""
        moment = time.time() - OLD
        for i in range(self.n):
            path = self.work / self.name(i)
            path.write_text(f"[uwsgi]\n;fake log={self.words(i).path}\n")
            os.utime(path, (moment, moment))

    def drop(self):
        """All at once; when it began."""
        began = now()
        for i in range(self.n):
            os.rename(self.work / self.name(i), self.vassals / self.name(i))
        return began

    def touch(self, i):
        """When it was done. The Emperor sees only a later second."""
        path = self.vassals / self.name(i)
        self.mtimes[i] = max(self.mtimes.get(i, 0) + 1, int(time.time()))
        moment = now()
        os.utime(path, (self.mtimes[i], self.mtimes[i]))
        return moment

    # ---- life
    def start(self):
        """When it began."""
        env = {"PATH": PATH, "HOME": "/", "LANG": "C.UTF-8"}
        with open(self.base / "log", "ab") as log:
            began = now()
            self.popen = subprocess.Popen(self.command(), env=env, cwd=self.work, stdin=subprocess.PIPE, stderr=log,
                                          stdout=self.stdout(log), start_new_session=True)
        return began

    def stdout(self, log):
        return log

    def wait_ruling(self):
        wait_for(self.rules, 20, f"{self.kind} rules; see {self.base}/log")

    def wait_up(self, n=None):
        """Until n vassals have said start: when each did, sorted."""
        n = self.n if n is None else n
        words = [self.words(i) for i in range(n)] if self.own_words else [self.shared]
        starts = []

        def all_up():
            starts[:] = [ns for w in words for ns in w.times("start")]
            return len(starts) >= n
        wait_for(all_up, what=f"{n} vassals of {self.kind} are up, not {len(starts)}; see {self.base}/log")
        return sorted(starts)

    def pids(self):
        return [self.popen.pid]

    def end(self):
        raise NotImplementedError

    def close(self):
        files = self.out.iterdir()
        mine = {pid for path in files for _, pid, _ in Words(path).read()}
        if self.popen:
            self.end()
            self.popen.stdin.close()
            self.popen.wait(60)
        wait_for(lambda: not [pid for pid in mine if os.path.exists(f"/proc/{pid}")], 60, f"the vassals of {self.kind} end")
        shutil.rmtree(self.base)

    def __enter__(self):
        self.prepare()
        return self

    def __exit__(self, *_):
        self.close()


class Floor(Court):
    kind = "the floor"
    what = "start"

    def command(self):
        return [str(self.programs.floor), self.what, str(self.n), str(self.programs.fake), str(self.vassals)]

    def stdout(self, log):
        return subprocess.PIPE

    def said(self):
        return self.popen.stdout.readline().strip()

    def end(self):
        self.popen.stdin.close()
        self.popen.stdout.close()


class Emperor(Court):
    kind = "uWSGI's Emperor"

    def __init__(self, *words, **named):
        super().__init__(*words, **named)
        self.run.chmod(0o777)  # it has become the vassals' user when it binds its stats

    def command(self):
        return ["uwsgi", f"--emperor={self.vassals}", f"--uid={USER}", f"--gid={USER}", f"--binary-path={self.programs.fake}",
                f"--emperor-stats={self.stats}"]

    def rules(self):
        return b"*** starting uWSGI Emperor ***" in (self.base / "log").read_bytes()

    def end(self):
        self.popen.kill()  # its own way takes seconds; without wires the fake vassals end


class Regent(Court):
    kind = "regent"

    def command(self):
        return [str(self.programs.regent), f"--emperor={self.vassals}", f"--uid={USER}", f"--gid={USER}",
                f"--binary-path={self.programs.fake}", f"--run-directory={self.run}", "--max-starting=0", "--ruler-user=nobody"]

    def rules(self):
        return self.control.exists() and b'"result"' in self.ask("list", 0.5)

    def ask(self, line, timeout=10):
        with self.client(line) as s:
            s.settimeout(timeout)
            answer = b""
            try:
                while more := s.recv(1 << 20):
                    answer += more
            except TimeoutError:
                pass
        return answer

    def client(self, line):
        """One that has sent a request and has read nothing."""
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(self.control))
        s.sendall(line.encode() + b"\n")
        return s

    def wait_ready(self):
        """Every vassal has passed its gate."""
        wait_for(lambda: self.ask("list").count(b'"ready"') >= self.n, what="every vassal is ready")

    def pids(self):
        with open(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children", encoding="ascii") as f:
            children = f.read().split()
        ruler = [int(pid) for pid in children if _comm(pid) == "regent-ruler"]
        return [self.popen.pid, *ruler]

    def end(self):
        self.popen.send_signal(signal.SIGTERM)


def _comm(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return ""
