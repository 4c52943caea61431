"""Sites whose versions can be told apart by their clients, in the kinds that deploys come in: good, slow, and broken in every way."""
import contextlib
import errno
import os

import client
from asking import Later, status_of
from load import Load

NEED_APP = "need-app = true"
CPU = 2  # s, in the import of the slow kind

# What stands above the app: it runs at import.
KINDS = {
    "good": "",
    "slow": "import time\nwhile time.process_time() < {cpu}:\n    pass\n",
    "raises": "raise RuntimeError('the settings are gone')\n",
    "missing module": "import no_such_module\n",
    "syntax": "def application(:\n",
    "sys.exit": "import sys\nsys.exit(3)\n",
    "os._exit": "import os\nos._exit(4)\n",
    "hangs": "print('it hangs', flush=True)\nwith open({place!r} + '/slow/import') as fifo:\n    fifo.read()\n",
    "health 500": "HEALTH = '500 Internal Server Error'\n",
    "health hangs": "HEALTH = None\n",
    "segfault": "import os\nimport signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "memory": "whole = bytearray(1 << 32)\n",
}


class Place:
    """One app's directory: its code, its sockets, its requests under way."""

    def __init__(self, court, name, path=None, account=None):
        self.court, self.name, self.path = court, name, path or court.base / name
        account = account or court.accounts.pn
        self.ids = (account.uid, account.gid)
        self.path.mkdir()
        (self.path / "slow").mkdir()
        for directory in (self.path, self.path / "slow"):
            os.chown(directory, *self.ids)
        self.socket = self.path / "socket"
        self.ini = f"{name}.ini"

    def code(self, version, kind="good"):
        """The next version; who imports while it is written sees the old or the new one."""
        text = f"VERSION, HEALTH = {version!r}, '200 OK'\n" + KINDS[kind].format(cpu=CPU, place=str(self.path))
        (self.path / "app.new").write_text(text + (self.court.setup.apps / "versioned.py").read_text())
        (self.path / "app.new").rename(self.path / "app.py")

    def config(self, *lines, regent=("handover = yes",), socket=True):
        """lines: more for uWSGI; a {place} in them is the directory."""
        lines = ["wsgi-file = app.py", "master = true", "processes = 3", "vacuum = true", "worker-reload-mercy = 20",
                 "disable-logging = true",
                 *(["socket = {place}/socket"] if socket else []), *lines]
        text = "\n".join(["[uwsgi]", f"chdir = {self.path}", *(line.format(place=self.path) for line in lines),
                          "[regent]", *(line.format(place=self.path) for line in regent), ""])
        self.court.write(self.ini, text)

    # ---- its clients
    def get(self, path="/", timeout=5):
        """(status, body), or the name of what went wrong."""
        try:
            return client.get(self.socket, path, timeout)
        except OSError as error:
            return type(error).__name__

    def says(self, version, deadline=15):
        self.court.wait_for(lambda: self.get() == (200, version), deadline, f"{self.name} answers {version}")

    def load(self, **how):
        return Load(self.court.setup.load, "uwsgi", f"unix:{self.socket}", **{"rate": 200, **how})

    def fifo(self, name):
        path = self.path / "slow" / name
        os.mkfifo(path)
        os.chown(path, *self.ids)
        return path

    def writer(self, fifo):
        """A descriptor, as soon as somebody reads from the fifo: who reads goes on when it is closed."""
        def taken():
            try:
                return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                return None
        return self.court.wait_for(taken, 10, f"somebody reads from {fifo.name}")

    @contextlib.contextmanager
    def slow(self, name="one", get=None):
        """A request that is under way from here on until it is released, at the latest at the end."""
        request = Slow(self, self.fifo(name), get or self.get)
        try:
            yield request
        finally:
            request.release()

    def status(self):
        return status_of(self.court, self.ini)

    def wait_ready(self, deadline=15):
        self.court.wait_for(lambda: self.status().get("state") == "ready", deadline, f"{self.name} is ready, not {self.status()}")


class Slow:
    def __init__(self, place, fifo, get):
        self.fifo = fifo
        self.answer = Later(get, f"/slow/{fifo.name}", 90)
        self.writer = place.writer(fifo)

    @property
    def under_way(self):
        return not self.answer.done

    def release(self):
        if self.writer is not None:
            os.close(self.writer)
            self.writer = None
            self.fifo.unlink()

    def get(self):
        """Releases it; its answer."""
        self.release()
        return self.answer.get()


def site(new_court, *options, name="a", env=None, start=True, **how):
    """(court, place) of one app; it has no code and no config yet."""
    court = new_court(*options, real=True, env=env, start=start)
    return court, Place(court, name, **how)


def serve(new_court, *options, version="one", lines=(), regent=("handover = yes",), **how):
    """A place that serves its first version under a court of its own."""
    court, place = site(new_court, *options, **how)
    place.code(version)
    place.config(*lines, regent=regent)
    place.says(version)
    place.wait_ready()
    return place


def preload(court, library):
    """The library in every process of the court, whatever the sanitizer thinks of its place."""
    court.env["LD_PRELOAD"] = str(library)
    court.env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
