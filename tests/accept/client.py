"""One request to a uWSGI vassal over its unix socket, in the uwsgi protocol. No retries: an error is an answer."""
import socket
import struct


def packet(path):
    pairs = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_PROTOCOL": "HTTP/1.1",
             "SERVER_NAME": "court", "SERVER_PORT": "80", "REQUEST_URI": path}
    body = b"".join(struct.pack("<H", len(word)) + word for pair in pairs.items() for word in map(str.encode, pair))
    return struct.pack("<BHB", 0, len(body), 0) + body


def get(address, path="/", timeout=5):
    """(status, body). OSError when nobody answers."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(str(address))
        s.sendall(packet(path))
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        raise ConnectionResetError("an empty answer")
    return int(head.split()[1]), body.decode()
