"""Answers with VERSION, which stands above when the test has written this. /slow/NAME waits until the fifo PLACE/slow/NAME is opened by a
writer and closed by it. /health answers HEALTH; None: waits for such a fifo."""
import os

PLACE = os.path.dirname(os.path.abspath(__file__))


def wait_for_fifo(path):
    with open(path) as fifo:
        fifo.read()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/slow/"):
        wait_for_fifo(PLACE + path)
    status = "200 OK"
    if path == "/health":
        print("asked for its health as", environ["wsgi.url_scheme"], environ["HTTP_HOST"], flush=True)
        if HEALTH is None:  # noqa: F821
            wait_for_fifo(PLACE + "/slow/health")
        status = HEALTH or status  # noqa: F821
    body = VERSION.encode()  # noqa: F821
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
