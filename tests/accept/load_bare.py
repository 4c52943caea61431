"""The old way, without any supervisor: uWSGI masters that follow each other on one listening socket, each ended by a bare byte 2. It loses
requests; this is here to show that the load would notice."""
import os
import select
import socket
import subprocess
import time

WORKERS_UP = 0.1  # s: bytes sooner after byte 5 stall


class Master:
    def __init__(self, listener, words, env):
        self.wire, theirs = socket.socketpair()
        with theirs:
            self.popen = subprocess.Popen(
                ["uwsgi", *words], pass_fds=[listener.fileno(), theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env={**env, "UWSGI_RELOADS": "0", "UWSGI_EMPEROR_FD": str(theirs.fileno())})

    def wait_up(self, deadline=10):
        end, said = time.monotonic() + deadline, b""
        while 5 not in said:
            if not select.select([self.wire], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError("a bare master did not come up")
            more = self.wire.recv(64)
            assert more, "a bare master ended"
            said += more

    def end(self):
        self.wire.sendall(b"\x02")

    def wait(self):
        self.popen.wait(30)
        self.wire.close()


class Bare:
    """A site of one app on path; swap() replaces its master. Entered, it serves."""

    def __init__(self, path, app, env, workers=2):
        self.path, self.env, self.gone = path, {"PATH": os.environ["PATH"], **env}, []
        self.words = ["--plugin", "python3", "--wsgi-file", str(app), "--socket", str(path), "--master", "--processes", str(workers)]
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(100)
        self.listener.setblocking(False)
        self.serving = None

    def swap(self):
        new = Master(self.listener, self.words, self.env)
        new.wait_up()
        time.sleep(WORKERS_UP)
        if self.serving:
            self.serving.end()
            self.gone.append(self.serving)
        self.serving = new

    def __enter__(self):
        self.swap()
        return self

    def __exit__(self, *_):
        self.serving.end()
        for master in [*self.gone, self.serving]:
            master.wait()
        self.listener.close()
