"""The kinds of sockets a vassal may listen on, and one request over each."""
import socket
import struct

import client
from load import free_port


def _exchange(family, address, words, is_whole, timeout=5):
    with socket.socket(family) as s:
        s.settimeout(timeout)
        s.connect(address)
        s.sendall(words)
        answer = b""
        while not is_whole(answer) and (more := s.recv(65536)):
            answer += more
    return answer


def _ends(_):
    """The others end with the connection."""
    return False


def _http_ends(answer):
    """uWSGI's http11 keeps connections alive, whoever asks for what."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"\r\ncontent-length:")[2]
    return bool(end and length and len(body) >= int(length.split()[0]))


def _http(_):
    return b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def _uwsgi(_):
    return client.packet("/")


PAIRS = {"CONTENT_LENGTH": "0", "SCGI": "1", "REQUEST_METHOD": "GET", "PATH_INFO": "/", "REQUEST_URI": "/", "QUERY_STRING": "",
         "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "localhost", "SERVER_PORT": "80", "HTTP_HOST": "localhost"}


def _scgi(_):
    body = b"".join(word.encode() + b"\0" for pair in PAIRS.items() for word in pair)
    return b"%d:%s," % (len(body), body)


def _record(kind, body):
    return struct.pack(">BBHHBB", 1, kind, 1, len(body), 0, 0) + body


def _fastcgi(_):
    pairs = b"".join(struct.pack("BB", len(key), len(value)) + key.encode() + value.encode() for key, value in PAIRS.items())
    return _record(1, struct.pack(">HB5x", 1, 0)) + _record(4, pairs) + _record(4, b"") + _record(5, b"")


WORDS = {"uwsgi": _uwsgi, "http": _http, "scgi": _scgi, "fastcgi": _fastcgi}


class Kind:
    """A socket line: what the ini says, where it is reached, in which protocol."""

    def __init__(self, name, lines, protocol, address=None, family=socket.AF_INET):
        self.name, self.lines, self.protocol, self.family = name, lines, protocol, family
        self.port = free_port(family) if family != socket.AF_UNIX else None
        self.address = address

    def ini(self):
        return [line.replace("PORT", str(self.port)) for line in self.lines]

    def where(self, place):
        if self.family == socket.AF_UNIX:
            return str(place.path / self.address)
        return ("::1" if self.family == socket.AF_INET6 else "127.0.0.1", self.port)

    def target(self, place):
        """For load; None: it does not speak that."""
        if self.protocol == "fastcgi":
            return None
        where = self.where(place)
        if self.family == socket.AF_UNIX:
            return self.protocol, f"unix:{where}"
        return self.protocol, f"[{where[0]}]:{where[1]}" if ":" in where[0] else f"{where[0]}:{where[1]}"

    def get(self, place):
        """The version, or what went wrong."""
        try:
            answer = _exchange(self.family, self.where(place), WORDS[self.protocol](place),
                               _http_ends if self.protocol == "http" else _ends)
        except OSError as error:
            return type(error).__name__
        if self.protocol == "fastcgi":
            answer = _fastcgi_stdout(answer)
        head, _, body = answer.partition(b"\r\n\r\n")
        return (body if b" 200 OK" in head else head).decode(errors="replace")


def _fastcgi_stdout(answer):
    found = b""
    while len(answer) >= 8:
        _, kind, _, size, padding, _ = struct.unpack(">BBHHBB", answer[:8])
        found += answer[8:8 + size] if kind == 6 else b""
        answer = answer[8 + size + padding:]
    return found


def kinds():
    unix, six = socket.AF_UNIX, socket.AF_INET6
    return [
        Kind("unix", ["socket = {place}/s"], "uwsgi", "s", unix),
        Kind("uwsgi-socket", ["uwsgi-socket = {place}/s"], "uwsgi", "s", unix),
        Kind("http-unix", ["http-socket = {place}/s"], "http", "s", unix),
        Kind("protocol", ["socket = {place}/s", "protocol = http"], "http", "s", unix),
        Kind("tcp", ["socket = 127.0.0.1:PORT"], "uwsgi"),
        Kind("tcp6", ["socket = [::1]:PORT"], "uwsgi", family=six),
        Kind("any", ["socket = 0.0.0.0:PORT"], "uwsgi"),
        Kind("bare-port", ["socket = :PORT"], "uwsgi"),
        Kind("http", ["http-socket = 127.0.0.1:PORT"], "http"),
        Kind("http6", ["http-socket = [::1]:PORT"], "http", family=six),
        Kind("http11", ["http11-socket = 127.0.0.1:PORT"], "http"),
        Kind("fastcgi", ["fastcgi-socket = 127.0.0.1:PORT"], "fastcgi"),
        Kind("fastcgi-unix", ["fastcgi-socket = {place}/s"], "fastcgi", "s", unix),
        Kind("scgi", ["scgi-socket = 127.0.0.1:PORT"], "scgi"),
        Kind("several", ["socket = {place}/s", "http-socket = 127.0.0.1:PORT", "scgi-socket = {place}/t"], "http"),
        Kind("shared", ["shared-socket = 127.0.0.1:PORT", "http-socket = =0"], "http"),
        Kind("shared-unix", ["shared-socket = {place}/s", "socket = =0"], "uwsgi", "s", unix),
    ]
