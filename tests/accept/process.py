"""What /proc says about processes. Reads only; remembers nothing."""
import collections
import contextlib
import os
import time


def stat(pid):
    """state, ppid, pgid, sid, start (clock ticks) of a process; None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return {"state": fields[0], "ppid": int(fields[1]), "pgid": int(fields[2]), "sid": int(fields[3]),
            "start": int(fields[19])}


def alive(pid):
    found = stat(pid)
    return found is not None and found["state"] not in "ZX"


def everyone():
    return {pid: found for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if (found := stat(pid))}


def now():
    """The moment, as stat() gives a start."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return list(map(int, f.read().split()))
    except OSError:
        return []


def marked(marker, seen, since):
    """Processes whose environment carries the marker, or did when they were last looked at: {pid: stat}. seen ({pid: start}) is
    kept up by this: one that is exiting, or is a zombie, has no environment any more, though its descriptors may be open yet. since: of no
    process that is older."""
    everybody, found = everyone(), {}
    for pid, state in everybody.items():
        if state["start"] < since:
            continue
        if seen.get(pid) != state["start"]:
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if marker not in f.read():
                        continue
            except OSError:
                continue
            seen[pid] = state["start"]
        found[pid] = state
    found |= {pid: state for pid, state in everybody.items() if state["state"] == "Z" and state["ppid"] in found}
    return found


def status(text):
    """The text of /proc/PID/status as a dict."""
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def read_status(pid):
    with open(f"/proc/{pid}/status") as f:
        return status(f.read())


def exe(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except OSError:
        return ""


def descriptors(pid):
    """{number: what it is} as /proc/PID/fd says; {} if the process is gone."""
    found = {}
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
            except OSError:
                pass
    except OSError:
        pass
    return found


def listening():
    """The sockets that listen, as descriptors() names them."""
    found = set()
    for table, state, listens, inode in (("tcp", 3, "0A", 9), ("tcp6", 3, "0A", 9), ("unix", 3, "00010000", 6)):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/net/{table}") as f:
            rows = [line.split() for line in f.readlines()[1:]]
            found |= {f"socket:[{row[inode]}]" for row in rows if row[state] == listens}
    return found


def kind(link):
    """'socket:[123]' is a socket, 'pipe:[4]' a pipe; files stay what they are."""
    return link.partition(":[")[0] if link.startswith(("socket:[", "pipe:[")) else link


def kinds(pid):
    return collections.Counter(kind(link) for link in descriptors(pid).values())
