"""Throw-away users and groups: made once a session, gone at its end. A session that was killed leaves its own behind; the next one
removes them (the maker's pid is part of the name)."""
import grp
import os
import pwd
import subprocess
import time
import types

PREFIX = "regent-test-"


def _run(*command):
    for _ in range(50):  # the password file may be locked by somebody else for a moment: exit status 1 and 10
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (1, 10):
            break
        time.sleep(0.1)
    return done


class Account:
    def __init__(self, role, groups=()):
        self.name = f"{PREFIX}{role}-{os.getpid()}"
        extra = ["--groups", ",".join(groups)] if groups else []
        done = _run("useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin",
                    "--user-group", *extra, self.name)
        if done.returncode:
            raise RuntimeError(f"useradd {self.name}: {done.stderr}")
        entry = pwd.getpwnam(self.name)
        self.uid, self.gid = entry.pw_uid, entry.pw_gid


class Accounts:
    """pn runs the vassals and is a member of the group extra; www is somebody else."""

    def __init__(self):
        remove_of_the_dead()
        self.extra = f"{PREFIX}extra-{os.getpid()}"
        done = _run("groupadd", "--system", self.extra)
        if done.returncode:
            raise RuntimeError(f"groupadd {self.extra}: {done.stderr}")
        self.extra_gid = grp.getgrnam(self.extra).gr_gid
        self.pn = Account("pn", [self.extra])
        self.www = Account("www")

    def stranger(self):
        """Somebody who has no vassal: no account, only a number that nobody has."""
        taken = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
        number = next(number for number in range(40000, 50000) if number not in taken)
        return types.SimpleNamespace(uid=number, gid=number)

    def remove(self):
        _remove(os.getpid())


def _remove(pid):
    for entry in pwd.getpwall():
        if entry.pw_name.startswith(PREFIX) and entry.pw_name.endswith(f"-{pid}"):
            _run("userdel", entry.pw_name)
    for entry in grp.getgrall():
        if entry.gr_name.startswith(PREFIX) and entry.gr_name.endswith(f"-{pid}"):
            _run("groupdel", entry.gr_name)


def remove_of_the_dead():
    names = [entry.pw_name for entry in pwd.getpwall()] + [entry.gr_name for entry in grp.getgrall()]
    for pid in {name.rpartition("-")[2] for name in names if name.startswith(PREFIX)}:
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            _remove(int(pid))
