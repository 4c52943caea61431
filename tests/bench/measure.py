"""What the kernel says of processes: memory, wake-ups, system calls; and of this machine. Remembers nothing."""
import os
import re
import shutil
import statistics
import subprocess


def pss_kib(pids):
    """The sum of the processes' proportional set sizes, without pages of files: how those are shared changes with whatever else
    runs on the machine, and no vassal adds any."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+) kB", f.read(), re.M)))
    return total


def ran(pids):
    """(ns on a CPU, switches away from it) of all together. Who never ran made no system call either."""
    spent = switches = 0
    for pid in pids:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
            spent += int(f.read().split()[0])
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            switches += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", f.read())))
    return spent, switches


class SystemCalls:
    """Counts those of the processes from now on until stop()."""

    def __init__(self, pids, path):
        self.path, self.popen = path, None
        if shutil.which("strace"):
            words = [word for pid in pids for word in ("-p", str(pid))]
            self.popen = subprocess.Popen(["strace", "-c", "-f", "-qq", "-o", str(path), *words], stderr=subprocess.DEVNULL)

    def stop(self):
        """Their number; None if they cannot be counted here."""
        if not self.popen or self.popen.poll() is not None:  # not there, or not allowed to
            return None
        self.popen.terminate()
        self.popen.wait(10)
        with open(self.path, encoding="utf-8") as f:
            found = re.search(r"^100\.00\s+\S+\s+\S+\s+(\d+)(?:\s+\d+)?\s+total", f.read(), re.M)
        return int(found.group(1)) if found else 0


def median(numbers):
    return statistics.median(numbers)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = re.search(r"^model name\s*:\s*(.*)", f.read(), re.M)
    name = os.uname()
    return f"{os.cpu_count()} CPUs ({model.group(1) if model else name.machine}), Linux {name.release}, load {os.getloadavg()[0]:.1f}"
