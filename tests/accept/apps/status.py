"""Answers with the status that stands in the file `answer` beside it, read at import."""
import os

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "answer")) as f:
    ANSWER = f.read().strip()


def application(environ, start_response):
    start_response(ANSWER, [("Content-Type", "text/plain")])
    return [ANSWER.encode()]
