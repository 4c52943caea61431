"""A /dev/log of its own: a process in a private mount namespace that holds one, for a court that is started in the same namespace.
Never the machine's own: /dev is a tmpfs there, with the few devices that are needed."""
import os
import subprocess
import time

PREPARE = """set -e
mkdir -p "$1/dev"
mount -t tmpfs tmpfs "$1/dev"
for name in null zero full random urandom tty; do : >"$1/dev/$name"; mount --bind /dev/$name "$1/dev/$name"; done
ln -s /proc/self/fd "$1/dev/fd"
ln -s fd/2 "$1/dev/stderr"
mount --rbind "$1/dev" /dev
shift
exec "$@"
"""

RSYSLOG = """module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0" SysSock.FlowControl="off")
template(name="fields" type="string" string="%programname%\\t%procid%\\t%syslogfacility-text%\\t%syslogseverity-text%\\t%msg%\\n")
action(type="omfile" file="{0}" template="fields" fileCreateMode="0644")
"""

DEAF = "import socket, time; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('/dev/log'); time.sleep(1000)"


class PrivateLog:
    def __init__(self, base, *command):
        self.records_file = base / "records"
        clean = {"PATH": os.environ["PATH"]}  # not of the court
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", PREPARE, "sh", str(base), *map(str, command)],
                                       env=clean, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not os.path.exists(f"/proc/{self.holder.pid}/root/dev/log"):
            assert self.holder.poll() is None, f"no private /dev/log: unshare, mount or the program ended with {self.holder.returncode}"
            assert time.monotonic() < end, "no private /dev/log within 10 s"
            time.sleep(0.01)

    def enter(self, command):
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", *command]

    def records(self):
        """[(tag, pid, facility, severity, text)]"""
        text = self.records_file.read_text(errors="replace") if self.records_file.exists() else ""
        return [tuple(line.split("\t", 4)) for line in text.splitlines() if line.count("\t") >= 4]

    def end(self):
        self.holder.kill()
        self.holder.wait()


def rsyslog(base):
    (base / "rsyslog.conf").write_text(RSYSLOG.format(base / "records"))
    return PrivateLog(base, "rsyslogd", "-n", "-f", base / "rsyslog.conf", "-i", base / "rsyslog.pid")


def deaf(base):
    return PrivateLog(base, "/usr/bin/python3", "-c", DEAF)
