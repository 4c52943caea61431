"""Answers, unless a file `hang` lies beside it: then a request waits until that is gone."""
import os
import time

HANG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hang")


def application(environ, start_response):
    while os.path.exists(HANG):
        time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"alive"]
