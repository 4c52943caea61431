"""Answers with the word of its config: which version of that it runs."""
import os


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ["SAYS"].encode()]
