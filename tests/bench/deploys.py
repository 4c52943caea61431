"""Deploys under load: what clients see of them, under uWSGI's Emperor, which is touched or gets HUP, under regent, and of nothing at all.

Real uWSGI, the same app and the same kinds of code, good, slow (2 s of CPU at import) and broken; clients at a fixed rate, each with
a connection of its own, directly over an http-socket and through nginx. At ordinary priority: at real-time priority an import would take
the CPU from everybody. Figures: tests/accept/load.c."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import sys
import time

from courts import Emperor, Regent, wait_for

ACCEPT = pathlib.Path(__file__).resolve().parent.parent / "accept"
sys.path.insert(0, str(ACCEPT))
import client  # noqa: E402
import load as loads  # noqa: E402
from asking import Later  # noqa: E402
from load_apps import CPU, KINDS  # noqa: E402
from table import Table, count, ms  # noqa: E402

RATE = 300
GOOD = ("good", "slow")
# What every court is given; where in-place reloads of code that hangs would never come back, the Emperor is spared that.
EMPEROR_KINDS = ("good", "slow", "raises", "good", "slow")
REGENT_KINDS = ("good", "slow", "raises", "health 500", "good", "hangs", "os._exit", "good", "missing module", "slow")
LONG_REQUEST = 60  # s
BROKEN_FOR = 1.0  # s: how long broken code stays before somebody deploys the repair; nobody is faster
APART = 0.5  # s: byte 1 within milliseconds of the last start stalls uWSGI until worker-reload-mercy is over; the Emperor is spared that, too
HEAD = ("deploys under load", "deploys", "requests", "failed", "longest silence", "p99", "limit", "")


@contextlib.contextmanager
def ordinary_priority():
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, param)


class App:
    """One site: code in versions, its sockets, its config in a court's directory."""

    def __init__(self, court, name, regent=()):
        self.court, self.name = court, name
        self.place = court.base / name
        (self.place / "slow").mkdir(parents=True)
        for path in (self.place, self.place / "slow"):
            shutil.chown(path, court.user, court.user)
        self.socket, self.port = self.place / "socket", loads.free_port()
        os.mkfifo(self.place / "slow" / "import")
        shutil.chown(self.place / "slow" / "import", court.user)
        self.code("start", "good")
        (court.vassals / f"{name}.ini").write_text("\n".join([
            "[uwsgi]", f"chdir = {self.place}", "wsgi-file = app.py", f"socket = {self.socket}", f"http-socket = 127.0.0.1:{self.port}",
            "master = true", "processes = 4", "vacuum = true", "worker-reload-mercy = 90", "[regent]", *regent, ""]))
        wait_for(lambda: self.version() == (200, "start"), 20, f"{name} serves")

    def code(self, version, kind):
        text = f"VERSION, HEALTH = {version!r}, '200 OK'\n" + KINDS[kind].format(cpu=CPU, place=str(self.place))
        (self.place / "app.new").write_text(text + (ACCEPT / "apps" / "versioned.py").read_text())
        (self.place / "app.new").rename(self.place / "app.py")

    def version(self, path="/", timeout=2):
        try:
            return client.get(self.socket, path, timeout)
        except OSError as error:
            return type(error).__name__, ""

    @contextlib.contextmanager
    def slow(self):
        """A request under way; called, what is yielded lets it end and tells its answer."""
        fifo = self.place / "slow" / f"{time.monotonic_ns()}"
        os.mkfifo(fifo)
        shutil.chown(fifo, self.court.user)
        answer = Later(self.version, f"/slow/{fifo.name}", 100)
        writer = open(fifo, "w")  # waits for its reader

        def end():
            writer.close()
            return answer.get(10)
        try:
            yield end
        finally:
            writer.close()
            fifo.unlink()


class RealEmperor(Emperor):
    user = "daemon"

    def command(self):
        return ["uwsgi", f"--emperor={self.vassals}", f"--uid={self.user}", f"--gid={self.user}", "--vassal-set=plugin=python3"]


class RealRegent(Regent):
    user = "daemon"

    def command(self):
        return [str(self.programs.regent), f"--emperor={self.vassals}", f"--uid={self.user}", f"--gid={self.user}",
                f"--run-directory={self.run}", "--vassal-set=plugin=python3", "--ruler-user=nobody", "--ready-for=0.1", "--handover"]

    def reload(self, name):
        """The exit status that regentctl would have."""
        return json.loads(self.ask(f"reload {name}.ini", 120).splitlines()[-1])["status"]


# ---- one deploy
def in_place(ask):
    """What a deploy is under the Emperor; ask(app) tells it."""
    def deploy(app, version, kind):
        time.sleep(APART)
        app.code(version, kind)
        ask(app)
        wanted = (200, version) if kind in GOOD else (500, "Internal Server Error")
        wait_for(lambda: app.version() == wanted, 30, f"{kind} under the Emperor: {wanted}, not {app.version()}")
        if kind not in GOOD:
            time.sleep(BROKEN_FOR)
    return deploy


def touch(app):
    app.mtime = max(getattr(app, "mtime", 0) + 1, int(time.time()))
    os.utime(app.court.vassals / f"{app.name}.ini", (app.mtime, app.mtime))


def hup(app):
    app.court.popen.send_signal(signal.SIGHUP)


def handed_over(app, version, kind):
    """A slow request is under way; it ends when the new code serves, or has failed."""
    before = app.version()
    with app.slow() as end:
        app.code(version, kind)
        answer = Later(app.court.reload, app.name)
        if kind in GOOD:
            wait_for(lambda: app.version() == (200, version), 30, f"{version} serves; {app.version()}, the answer is {answer.value}")
            slow, status = end(), answer.get(60)
        else:
            status = answer.get(60)
            slow = end()
    if (status, slow) != ((0 if kind in GOOD else 1), before):
        raise RuntimeError(f"{version}: status {status}, the slow request {slow}, before it {before}")


# ---- a run
def measure_run(programs, app, deploy, kinds):
    """[(how, figures)] directly and through nginx; who saw versions that failed is in it."""
    port = loads.free_port()
    with loads.Nginx(app.court.base, {port: app.socket}, app.court.user), contextlib.ExitStack() as stack:
        running = {"directly": stack.enter_context(loads.Load(programs.load, "http", f"127.0.0.1:{app.port}", rate=RATE)),
                   "through nginx": stack.enter_context(loads.Load(programs.load, "http", f"127.0.0.1:{port}", rate=RATE))}
        for number, kind in enumerate(kinds):
            deploy(app, f"{kind} {number}", kind)
        figures = {how: load.stop() for how, load in running.items()}
    shutil.rmtree(app.court.base / "nginx")
    good = {"start", *(f"{kind} {number}" for number, kind in enumerate(kinds) if kind in GOOD)}
    for found in figures.values():
        found.seen = sorted(set(found["versions"]) - good)
    return figures


def nothing(seconds):
    def deploy(*_):
        time.sleep(seconds)
    return deploy


def failed_words(found):
    kinds = ", ".join(f"{number} {kind}" for kind, number in found.bad.items())
    return " ".join(word for word in (count(found["failed"]), f"({kinds})" if kinds else "", f"saw {found.seen}" if found.seen else "") if word)


def write_rows(table, what, n, figures, calm):
    """calm: figures of the undisturbed run, if there is a limit."""
    for how, found in figures.items():
        limit = f"0, +{loads.SILENCE} ms" if calm else ""
        holds = not found.bad and not found.seen and found["silence"] <= calm[how]["silence"] + loads.SILENCE if calm else None
        table.line((f"{what}, {how}", str(n), count(found["asked"]), failed_words(found), ms(found["silence"]), ms(found["p99"]), limit), holds)


def within(figures, calm):
    return all(found["silence"] <= calm[how]["silence"] + loads.SILENCE for how, found in figures.items())


def regent_rows(table, programs, plan, calm, log):
    with RealRegent(programs, 0) as court:
        court.start()
        court.wait_ruling()
        app = App(court, "site", REGENT)
        beside = App(court, "beside", REGENT) if plan.long_request else None
        long = Later(long_request, programs, beside) if beside else None
        for attempt in range(3):
            log(f"deploys: regent, {plan.deploys} of them" + (f", again ({attempt + 1})" if attempt else ""))
            kinds = [REGENT_KINDS[i % len(REGENT_KINDS)] for i in range(plan.deploys if attempt == 0 else len(REGENT_KINDS))]
            figures = measure_run(programs, app, handed_over, kinds)
            if attempt == 0:
                first, n = figures, len(kinds)
            if within(figures, calm):  # an outlier counts only if it comes again
                break
        else:
            figures = first
        if figures is not first:
            for how, found in figures.items():
                first[how]["silence"] = found["silence"]
        write_rows(table, "regent, handover", n, first, calm)
        if long:
            write_rows(table, f"... one with a request of {LONG_REQUEST} s", 1, {"directly": long.get(150)}, calm)


REGENT = ("handover = yes", "health = /health", "start-timeout = 6", "retire-mercy = 90")


def long_request(programs, app):
    """A deploy while somebody's request takes a minute: figures of the others; that one must be answered."""
    with loads.Load(programs.load, "http", f"127.0.0.1:{app.port}", rate=RATE // 3) as load, app.slow() as end:
        app.code("new", "good")
        answer = Later(app.court.reload, app.name)
        wait_for(lambda: app.version() == (200, "new"), 20, "the new code serves")
        time.sleep(LONG_REQUEST)
        slow, status = end(), answer.get(60)
        if (slow, status) != ((200, "start"), 0):
            raise RuntimeError(f"a long request: {slow}, and the deploy: {status}")
        found = load.stop()
    found.seen = sorted(set(found["versions"]) - {"start", "new"})
    return found


def emperor_rows(table, programs, plan, log):
    """The undisturbed run, whose figures come back, and the Emperor's."""
    with RealEmperor(programs, 0) as court:
        court.start()
        court.wait_ruling()
        app = App(court, "site")
        log(f"deploys: none, for {plan.calm} s")
        calm = measure_run(programs, app, nothing(plan.calm), ["good"])
        for found in calm.values():
            found.seen = []
        write_rows(table, "undisturbed", 0, calm, None)
        for what, ask in (("touch", touch), ("HUP", hup)):
            kinds = [EMPEROR_KINDS[i % len(EMPEROR_KINDS)] for i in range(plan.emperor_deploys)]
            log(f"deploys: the Emperor, {what}, {len(kinds)} of them")
            write_rows(table, f"uWSGI's Emperor, {what}", len(kinds), measure_run(programs, app, in_place(ask), kinds), None)
    return calm


def bench_deploys(programs, plan, log):
    """A table of its own."""
    table = Table(HEAD)
    if not shutil.which("nginx"):
        raise RuntimeError("nginx is not there: contrib/install-deps test")
    with ordinary_priority():
        calm = emperor_rows(table, programs, plan, log)
        regent_rows(table, programs, plan, calm, log)
    return table
