"""Options, fixtures and the counting of the acceptance tests. See tests/README.md."""
import contextlib
import ctypes
import os
import pathlib
import signal
import types

import pytest

import accounts
import court as courts_of

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
LIMIT = 20  # seconds a test may take, unless it is marked otherwise; its census has as much again
COUNT_FILE = HERE / "uwsgi-count"


def pytest_addoption(parser):
    parser.addoption("--supervisor", choices=("uwsgi", "regent"), required=False, default="uwsgi")
    parser.addoption("--build", default="build", help="the build directory")
    parser.addoption("--differences", action="store_true", help="uwsgi: run the rows of the table of differences; each must fail")
    parser.addoption("--seed", help="of the random operations (test_random.py); default: another each time, and printed")
    parser.addoption("--regent", help="the regent to test; default: the sanitized one, else the plain one, of the build")


def pytest_configure(config):
    config.addinivalue_line("markers", "regent_only(row): shows a row of the man page's table of differences")
    config.addinivalue_line("markers", "limit(seconds): a time limit of its own")
    config.skipped_tests, config.passed_tests = 0, 0


def pytest_collection_modifyitems(config, items):
    for item in items:
        for mark in item.iter_markers("regent_only"):
            if not mark.args:
                raise pytest.UsageError(f"{item.nodeid}: regent_only without the row of the table of differences")
    readme = (HERE.parent / "README.md").read_text()
    if missing := sorted({item.originalname for item in items if f"`{item.originalname}`" not in readme}):
        raise pytest.UsageError(f"tests/README.md does not name {', '.join(missing)}")
    if config.getoption("--supervisor") == "uwsgi":
        differences = config.getoption("--differences")
        config.hook.pytest_deselected(items=[item for item in items if _is_row(item) != differences])
        items[:] = [item for item in items if _is_row(item) == differences]
        for item in items if differences else ():
            item.add_marker(pytest.mark.xfail(strict=True, reason=item.get_closest_marker("regent_only").args[0]))


def _is_row(item):
    return item.get_closest_marker("regent_only") is not None


# ---- each test has its time limit, in each of its phases
@contextlib.contextmanager
def _limited(item):
    mark = item.get_closest_marker("limit")
    seconds = mark.args[0] if mark else LIMIT

    def give_up(*_):
        raise TimeoutError(f"time limit: {seconds} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    with _limited(item):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    with _limited(item):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    with _limited(item):
        yield


# ---- the count: the uWSGI side must never shrink, and nothing is skipped
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    item.config.skipped_tests += report.skipped and not hasattr(report, "wasxfail")
    item.config.passed_tests += report.when == "call" and report.passed


def _whole(config):
    chosen = config.option.keyword or config.option.markexpr or config.getoption("--differences")
    return not chosen and [pathlib.Path(arg).resolve() for arg in config.args] == [HERE]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    config, count = session.config, session.config.passed_tests
    supervisor = config.getoption("--supervisor")
    words = f"accept[{supervisor}]: {count} tests"
    if config.skipped_tests:
        words, session.exitstatus = words + f", {config.skipped_tests} skipped: a failure", 1
    if supervisor == "uwsgi" and _whole(config) and count < (minimum := int(COUNT_FILE.read_text())):
        words, session.exitstatus = words + f", fewer than {minimum}: a failure", 1
    config.count_words = words


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.write_line(config.count_words)


# ---- fixtures
def _regent(config):
    if chosen := config.getoption("--regent"):
        return pathlib.Path(chosen).resolve()
    build = (TOP / config.getoption("--build")).resolve()
    return next((path for path in (build / "san" / "regent", build / "regent") if path.exists()), build / "regent")


@pytest.fixture(scope="session")
def setup(request):
    """What all courts share."""
    if os.geteuid() != 0:
        pytest.exit("the acceptance tests make users and change identities: run them as root (sudo make test)", 1)
    PR_SET_CHILD_SUBREAPER = 36  # orphans of a court come to us, so that what is left over can be seen
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    regent = _regent(request.config)
    build = (TOP / request.config.getoption("--build")).resolve()
    fake, kind = build / "tests" / "fake_vassal", request.config.getoption("--supervisor")
    load, slow_accept = build / "tests" / "load", build / "tests" / "slow_accept.so"
    for needed in (fake, load, slow_accept, regent if kind == "regent" else pathlib.Path("/usr/bin/uwsgi")):
        if not needed.exists():
            pytest.exit(f"{needed} is not there: make accept-{kind} builds what the tests need", 1)
    made = accounts.Accounts()
    yield types.SimpleNamespace(kind=kind, accounts=made, regent=regent, apps=HERE / "apps", fake=fake,
                                load=load, slow_accept=slow_accept, regentctl=regent.with_name("regentctl"))
    made.remove()


@pytest.fixture(autouse=True)
def census(setup, request):
    """After every test each court is dissolved and counted: descriptors, zombies, processes, files, sanitizers."""
    courts = []
    yield courts
    wrong = []
    for court in courts:
        try:
            wrong += court.census()
            print(f"---- {' '.join(court.command)}\n{court.log[-8000:]}")
        finally:
            court.erase()
            reap_orphans()
    assert not wrong or request.config.getoption("--differences"), "\n".join(map(str, wrong))


def reap_orphans():
    """Ended processes that a dead supervisor left to us. (Each court has waited for its own supervisor.)"""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


@pytest.fixture
def new_court(setup, census):
    """new_court(option..., real=..., as_user=...): a running court."""
    def make(*options, **how):
        court = courts_of.Court(setup, *options, **{**how, "start": False})
        census.append(court)
        if how.get("start", True):
            court.start()
        return court
    return make


@pytest.fixture
def court(new_court):
    return new_court()
