"""A court: one supervisor in a fresh directory, the configs it watches and what its vassals did. Knows both supervisors; where they
must be handled differently, it is written here and nowhere in a test."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import process

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SANITIZER_WORDS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "DEADLYSIGNAL")
TYPES = {".ini": "ini", ".xml": "xml", ".yml": "yaml", ".yaml": "yaml", ".js": "json", ".json": "json"}
POLL = 0.01
NUDGE = 0.1  # so often wait_for() wakes uWSGI's Emperor, which otherwise looks once a second


class Court:
    def __init__(self, setup, *options, real=False, as_user=False, uid=True, monitors=None, env=None, start=True):
        """setup: of conftest. real: the vassals are uWSGI, else the fake. as_user: started as pn. uid: with --uid and --gid."""
        self.kind, self.setup, self.accounts = setup.kind, setup, setup.accounts
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="regent-accept-"))
        self.base.chmod(0o755)
        self.vassals_dir, self.run, self.out, self.work = (self._make(name) for name in ("vassals", "run", "out", "work"))
        self.out.chmod(0o777)
        self._make("sanitizer").chmod(0o777)
        if as_user:
            os.chown(self.run, self.accounts.pn.uid, self.accounts.pn.gid)
        self.logfile = self.base / "log"
        self.socket = self.run / "control.sock"
        self.as_user = as_user
        self.marker = f"REGENT_ACCEPT_COURT={self.base.name}"
        self.env = {"PATH": PATH, "HOME": "/", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
                    "ASAN_OPTIONS": f"log_path={self.base}/sanitizer/asan", "UBSAN_OPTIONS": "print_stacktrace=1",
                    "REGENT_ACCEPT_COURT": self.base.name, **(env or {})}
        self.command = self._command(options, real, uid and not as_user, monitors)
        self.popen, self.stopped, self.expect_status, self.seen, self.deaf = None, False, 0, {}, False
        self.killed, self.since = False, process.now()
        if start:
            self.start()

    def _make(self, name):
        path = self.base / name
        path.mkdir(mode=0o755)
        return path

    def _command(self, options, real, uid, monitors):
        monitors = [str(self.vassals_dir)] if monitors is None else [str(m) for m in monitors]
        words = [f"--emperor={monitor}" for monitor in monitors] + ["--emperor-freq=1"]
        if uid:
            words += ["--uid", self.accounts.pn.name, "--gid", self.accounts.pn.name]
        words += ["--vassal-set", "plugin=python3"] if real else ["--binary-path", str(self.setup.fake)]
        if self.kind == "regent":
            words += ["--run-directory", str(self.run), "--control-socket", str(self.socket), "--ruler-user", "nobody"]
            words += ["--ready-for=0.1"]  # a second at each start is the default; a test for which it matters says so
            return [str(self.setup.regent), *words, *map(str, options)]
        return ["uwsgi", *words, *map(str, options)]

    patience = 9  # of the census, in seconds: a real vassal stopped in its first moment needs worker-reload-mercy (2 in our apps)

    # ---- life
    def start(self, wait=True):
        user = {"user": self.accounts.pn.uid, "group": self.accounts.pn.gid,
                "extra_groups": [self.accounts.pn.gid, self.accounts.extra_gid]} if self.as_user else {}
        empty = self.vassals_dir.exists() and not any(self.vassals_dir.iterdir())
        self.files_before = sorted(os.listdir(self.run))
        with open(self.logfile, "ab") as log:
            self.popen = subprocess.Popen(self.command, env=self.env, cwd=self.work, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, umask=0o027, start_new_session=True, **user)
        if wait:
            self.wait_for(self._rules, 10, "the supervisor rules", nudge=False)
        self.baseline = self._settled_kinds() if wait and empty else None

    def _rules(self):
        if self.popen.poll() is not None:
            raise AssertionError(f"the supervisor ended with {self.popen.returncode}:\n{self.log}")
        return self.socket.exists() if self.kind == "regent" else "*** starting uWSGI Emperor ***" in self.log

    def _settled_kinds(self):
        """Kinds of descriptors of the supervisor's processes, once they are the same twice."""
        last = None
        for _ in range(100):
            now = self.supervisor_kinds()
            if now == last:
                return now
            last = now
            time.sleep(0.02)
        return last

    @property
    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def send(self, number):
        self.popen.send_signal(number)

    def stop(self, number=signal.SIGTERM, deadline=15):
        """Ends the supervisor as a person would; its exit status."""
        self.stopped = True
        self.killed = number == signal.SIGKILL
        self.send(number)
        return self.popen.wait(deadline)

    # ---- its processes
    def processes(self):
        """{pid: stat} of all there is of this court, zombies too. Orphans that ended are ours to reap (see conftest)."""
        found = process.marked(self.marker.encode(), self.seen, self.since)
        for pid, stat in list(found.items()):
            if stat["state"] == "Z" and stat["ppid"] == os.getpid() and pid != self.popen.pid:
                if process.comm(pid) != "regentctl":  # whose end is for subprocess, in a thread of its own
                    with contextlib.suppress(ChildProcessError):  # another thread that counts was first
                        os.waitpid(pid, os.WNOHANG)
                del found[pid]
        return found

    def supervisors(self):
        """Pids of the supervisor itself: the Emperor, or keeper and ruler."""
        if self.kind == "uwsgi":
            return [self.popen.pid] if self.running else []
        return sorted(pid for pid in self.processes() if process.exe(pid) == str(self.setup.regent))

    def ruler(self):
        """regent's ruler; None while there is none."""
        return next((pid for pid in process.children(self.popen.pid) if process.comm(pid) == "regent-ruler" and process.alive(pid)), None)

    def vassals(self):
        """Pids of everything below the supervisor that lives."""
        mine = set(self.supervisors()) | {self.popen.pid}
        return sorted(pid for pid, stat in self.processes().items() if pid not in mine and stat["state"] != "Z")

    def pid(self, name):
        """Of the newest process that said it started for this config, if it lives; None else."""
        starts = [pid for _, pid, word in self.history(name) if word == "start"]
        return starts[-1] if starts and process.alive(starts[-1]) else None

    def supervisor_kinds(self):
        kinds = {process.comm(pid): process.kinds(pid) for pid in self.supervisors()}
        if kinds.get("regent", {}).get("anon_inode:inotify") == 1:
            del kinds["regent"]["anon_inode:inotify"]  # the keeper's own, made with the first socket that it holds, and kept
        return kinds

    # ---- configs
    def text(self, name, lines):
        """The config of a fake vassal, in the language of its extension."""
        lines = [f"log={self.out}/{name}.log", *lines]
        lines = [f"record={self.out}/{name}.json" if line == "record" else line for line in lines]
        language = TYPES.get(os.path.splitext(name)[1])
        if language == "xml":
            return "<uwsgi>\n<!--\n" + "".join(f";fake {line}\n" for line in lines) + "-->\n</uwsgi>\n"
        if language == "yaml":
            return "uwsgi:\n" + "".join(f"# ;fake {line}\n" for line in lines)
        if language == "json":
            return json.dumps({"uwsgi": {}, "fake": [f";fake {line}" for line in lines]}, indent=0)
        return "[uwsgi]\n" + "".join(f";fake {line}\n" for line in lines)

    def fake(self, name, *lines, directory=None):
        self.deaf |= bool({"ignore-stop", "no-signal"} & set(lines))
        return self.write(name, self.text(name, lines), directory)

    def write(self, name, text, directory=None):
        """Whole or not at all. A first version is 10 s old, later ones are newer by a whole second: what the Emperor sees."""
        path = pathlib.Path(directory or self.vassals_dir) / name
        before = path.stat().st_mtime if path.exists() else None
        temporary = self.work / f"new.{time.monotonic_ns()}"
        temporary.write_text(text)
        moment = time.time() - 10 if before is None else self._later(before)
        os.utime(temporary, (moment, moment))
        temporary.rename(path)
        return path

    @staticmethod
    def _later(mtime):
        return max(time.time(), int(mtime) + 1)

    def touch(self, name):
        path = self.vassals_dir / name
        moment = self._later(path.stat().st_mtime)
        os.utime(path, (moment, moment))

    def link(self, name, target):
        """ln -sfn: also over a link that is there."""
        temporary = self.work / f"link.{time.monotonic_ns()}"
        temporary.symlink_to(target)
        temporary.rename(self.vassals_dir / name)

    def remove(self, name):
        (self.vassals_dir / name).unlink()

    # ---- what happened
    @property
    def log(self):
        return self.logfile.read_text(errors="replace") if self.logfile.exists() else ""

    def history(self, name):
        """[(CLOCK_MONOTONIC ns, pid, word)] that the fake vassal of this config wrote."""
        path = self.out / f"{name}.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(when), int(pid), word) for when, pid, word in (line.split(" ", 2) for line in lines)]

    def words(self, name):
        return [word for _, _, word in self.history(name)]

    def bytes(self, name):
        """The bytes it received, in order."""
        return [int(word) for word in self.words(name) if word.isdigit()]

    def starts(self, name):
        return self.words(name).count("start")

    def record(self, name, deadline=10):
        """What its process was born with (the config says `record`)."""
        path = self.out / f"{name}.json"
        self.wait_for(path.exists, deadline, f"{name} writes its record")
        found = json.loads(path.read_text())
        found["status"] = process.status(found["status"])
        found["environ"] = dict(word.partition("=")[::2] for word in found["env"])
        return found

    def wait_for(self, predicate, deadline=10, what=None, nudge=True):
        """The predicate's value as soon as it is true. nudge: let uWSGI's Emperor look at once instead of each second."""
        end = time.monotonic() + deadline
        woken = 0
        while True:
            if value := predicate():
                return value
            now = time.monotonic()
            if now > end:
                raise AssertionError(f"not within {deadline} s: {what or predicate.__name__}")
            if nudge and self.kind == "uwsgi" and now - woken > NUDGE and self.running:
                self.send(signal.SIGWINCH)
                woken = now
            time.sleep(POLL)

    def wait_words(self, name, words, deadline=10):
        self.wait_for(lambda: self.words(name) == words, deadline, f"{name} says {words}, not {self.words(name)}")

    def wait_start(self, *names, count=1, deadline=10):
        for name in names:
            self.wait_for(lambda: self.starts(name) >= count, deadline, f"start {count} of {name}")

    def a_while(self, seconds):
        """For what must NOT happen: time passes, and uWSGI's Emperor looks around often. The only sleep there is."""
        end = time.monotonic() + seconds
        self.wait_for(lambda: time.monotonic() >= end, seconds + 5)

    def regentctl(self, *words, timeout=30, user=None, cwd=None):
        return self.run_there([str(self.setup.regentctl), "--control-socket", str(self.socket), *map(str, words)], timeout=timeout,
                              user=user, cwd=cwd)

    def regentctl_as(self, account, *words):
        """regentctl, run by that account: a copy of it, since the build may lie where only we may go."""
        copy = self.base / "regentctl"
        if not copy.exists():
            shutil.copy(self.setup.regentctl, copy)
        return self.run_there([str(copy), "--control-socket", str(self.socket), *map(str, words)], user=account.uid, group=account.gid,
                              extra_groups=[])

    def run_there(self, command, env=None, **how):
        """A command with the court's environment, as one of its people; its words come back."""
        return subprocess.run(command, capture_output=True, text=True, env={**self.env, "PATH": PATH, **(env or {})},
                              **{"timeout": 30, **how})

    def asks(self, line, timeout=20):
        """One request over the control socket, as socat would make it: yields the objects of the reply as they come."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(str(self.socket))
            s.sendall(line.encode() + b"\n")
            with s.makefile("rb") as reply:
                yield from map(json.loads, reply)

    def ask(self, line, timeout=20):
        return list(self.asks(line, timeout))

    # ---- the census
    def census(self):
        """Dissolves the court by stopping its vassals, or taking its configs away, and tells what is wrong: a list of sentences."""
        wrong = []
        if self.running and not self.stopped:
            wrong += self._check_descriptors()
            self._dissolve()
            wrong += self._check_leaks()
            self._end()
        wrong += self._check_remains()
        wrong += self._sanitizer()
        return wrong

    def _check_descriptors(self):
        """A fake vassal has stdin, stdout, stderr, its wire, the listening sockets that are held for it, and nothing else; no other socket
        is shared with the supervisor, and no two vassals (sessions) share one of those."""
        wrong, owners, listening = [], {}, process.listening()
        sockets = {link for pid in self.supervisors() for link in process.descriptors(pid).values() if link.startswith("socket:")}
        for pid in self.vassals():
            found, session = process.descriptors(pid), (process.stat(pid) or {"sid": 0})["sid"]
            own = {n: link for n, link in found.items() if link not in listening}
            if process.exe(pid) == str(self.setup.fake) and len([n for n in own if n > 2]) > 1:
                wrong.append(f"the fake vassal {pid} has {found}")
            if shared := sockets & set(own.values()):
                wrong.append(f"the vassal {pid} holds the supervisor's {shared}")
            for link in sockets & set(found.values()) & listening if session else ():
                if owners.setdefault(link, session) != session:
                    wrong.append(f"{link}, held for the session {owners[link]}, is in {pid} of the session {session}")
        return wrong

    def _dissolve(self):
        if self.kind == "regent" and self.socket.exists():
            threading.Thread(target=self._stop_all, daemon=True).start()
            return
        for entry in self.vassals_dir.iterdir() if self.vassals_dir.exists() else ():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _stop_all(self):
        """The grace of a removed config is a second, and removal is tested elsewhere. (The census looks for itself what came of it.)"""
        try:
            self.ask("stop --all", self.patience + 5)
        except OSError:
            pass

    def _check_leaks(self):
        if self.deaf:  # whether those are killed in time is tested where it is the question
            for pid in self.vassals():
                with contextlib.suppress(ProcessLookupError):  # the stop that is under way was faster
                    os.kill(pid, signal.SIGKILL)
        try:
            self.wait_for(lambda: self._leak() is None, self.patience, "all is as before")
            return []
        except AssertionError:
            return [self._leak()]

    def _leak(self):
        if zombies := [pid for pid, stat in self.processes().items() if stat["state"] == "Z"]:
            return f"zombies: {zombies}"
        if left := self.vassals():
            return f"left over: {[(pid, process.exe(pid)) for pid in left]}"
        if self.baseline is not None and (now := self.supervisor_kinds()) != self.baseline:
            return f"descriptors before {self.baseline}, after {now}"
        return None

    def _end(self):
        """uWSGI's Emperor sleeps whole seconds while it stops, and its end is tested elsewhere: kill. regent: its own way."""
        if self.kind == "uwsgi":
            self.popen.kill()
            self.popen.wait(10)
        elif self.stop() != self.expect_status:
            raise AssertionError(f"regent ended with {self.popen.returncode}")

    def _check_remains(self):
        wrong = []
        try:
            self.wait_for(lambda: not self.processes(), self.patience, "all processes end")
        except AssertionError:
            wrong.append(f"still there: {[(pid, process.exe(pid), stat) for pid, stat in self.processes().items()]}")
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)
        allowed = {self.socket.name} if self.killed else set()  # who is killed cannot take it away
        if self.popen and (files := sorted(set(os.listdir(self.run)) - allowed)) != self.files_before:
            wrong.append(f"left over in the run directory: {files}")
        if (left := [str(path) for path in self.base.glob("**/.*.regent")]) and not self.killed:
            wrong.append(f"left over beside sockets: {left}")
        return wrong

    def _sanitizer(self):
        wrong = [path.read_text(errors="replace") for path in (self.base / "sanitizer").iterdir()]
        return wrong + [line for line in self.log.splitlines() if any(word in line for word in SANITIZER_WORDS)]

    def erase(self):
        if self.running:
            self.popen.kill()
            self.popen.wait(10)
        shutil.rmtree(self.base, ignore_errors=True)
