"""Clients at a fixed rate while something is done to a court: build/tests/load (load.c), and what may be asked of its figures."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

BAD = ("5xx", "4xx", "refused", "missing", "full", "reset", "eof", "cut", "timeout", "other")
SILENCE = 50  # ms beyond an undisturbed run of the same length: what a client may see of a deploy


class Load:
    """Has begun when it is made; figures() at any time, stop() for the last ones. how: rate=, timeout= (s), seconds=, path=."""

    def __init__(self, program, protocol, address, **how):
        words = [word for key, value in how.items() for word in (f"--{key}", str(value))]
        self.popen = subprocess.Popen([str(program), *words, protocol, address], stdout=subprocess.PIPE, text=True)
        self.last = None
        assert self.popen.stdout.readline() == "begun\n"

    def figures(self):
        """Of all until now."""
        self.popen.send_signal(signal.SIGUSR1)
        return Figures(json.loads(self.popen.stdout.readline()))

    def stop(self):
        """Asks no more, waits for what is under way."""
        if self.last is None:
            self.popen.send_signal(signal.SIGTERM)
            self.last = self.wait()
        return self.last

    def wait(self):
        """Until it ends by itself."""
        words = self.popen.stdout.read().splitlines()
        self.popen.stdout.close()
        self.popen.wait(10)
        return Figures(json.loads(words[-1]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)


class Figures(dict):
    """What load prints."""

    @property
    def bad(self):
        """The kinds that occurred."""
        return {kind: self[kind] for kind in BAD if self[kind]}

    def words(self):
        return (f"{self['asked']} asked in {self['ms']:.0f} ms, {self.bad or 'none failed'}, silence {self['silence']:.1f} (late {self['late']:.1f}), "
                f"p50 {self['p50']:.1f}, p99 {self['p99']:.1f} ms, {({version: found['times'] for version, found in self['versions'].items()})}")

    def assert_served(self, *versions):
        """Nothing failed, and no other version was ever seen."""
        assert not self.bad and self["ok"] == self["asked"] - self["under_way"] > 0, self.words()
        assert set(self["versions"]) <= set(versions), f"not {versions}: {self.words()}"


def undisturbed(program, targets, seconds, **how):
    """Figures of so long a run in which nothing happens. A target is (protocol, address)."""
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(Load(program, *target, seconds=max(1, round(seconds)), **how)) for target in targets]
        return [load.wait() for load in running]


def free_port(family=socket.AF_INET):
    with socket.socket(family) as s:
        s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        return s.getsockname()[1]


class Nginx:
    """A private nginx before uwsgi sockets: {port: socket path}. It is nobody's vassal."""

    def __init__(self, base, sites, user):
        self.place = base / "nginx"
        self.place.mkdir()
        os.chmod(self.place, 0o755)
        self.log = self.place / "error.log"
        servers = "".join(f"server {{ listen 127.0.0.1:{port}; location / {{ uwsgi_pass unix:{path}; uwsgi_read_timeout 90s; }} }}\n"
                          for port, path in sites.items())
        params = "".join(f"uwsgi_param {name} ${value};\n" for name, value in {
            "QUERY_STRING": "query_string", "REQUEST_METHOD": "request_method", "CONTENT_TYPE": "content_type", "CONTENT_LENGTH": "content_length",
            "REQUEST_URI": "request_uri", "PATH_INFO": "document_uri", "SERVER_PROTOCOL": "server_protocol", "REMOTE_ADDR": "remote_addr",
            "SERVER_PORT": "server_port", "SERVER_NAME": "server_name", "HTTP_HOST": "host"}.items())
        temporary = "".join(f"{kind}_temp_path {self.place}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.place / "nginx.conf").write_text(
            f"user {user};\nworker_processes 1;\ndaemon off;\npid {self.place}/pid;\nerror_log {self.log};\nevents {{ worker_connections 2048; }}\n"
            f"http {{\naccess_log off;\n{temporary}{params}{servers}}}\n")
        self.popen = subprocess.Popen(["nginx", "-p", str(self.place), "-c", str(self.place / "nginx.conf")], stdin=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        self._wait(sites)

    def _wait(self, sites, deadline=5):
        end = time.monotonic() + deadline
        for port in sites:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if self.popen.poll() is not None or time.monotonic() > end:
                        raise RuntimeError(f"nginx does not listen: {self.log.read_text() if self.log.exists() else ''}") from None
                    time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.terminate()
        self.popen.wait(10)
