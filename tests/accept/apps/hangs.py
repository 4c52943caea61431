"""Answers, unless a file `hang` lies beside it: then a request waits until that is gone, and `asked` is a byte longer."""
import os
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def application(environ, start_response):
    if os.path.exists(f"{HERE}/hang"):
        with open(f"{HERE}/asked", "a") as f:
            f.write(".")
    while os.path.exists(f"{HERE}/hang"):
        time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"alive"]
