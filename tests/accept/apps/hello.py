"""Answers with the contents of the file `answer` beside it, read at import: what a deploy changes."""
import os

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "answer")) as f:
    ANSWER = f.read().strip()


def application(environ, start_response):
    words = {"/": ANSWER, "/pid": str(os.getpid()), "/env": os.environ.get("DJANGO_SETTINGS_MODULE", ""),
             "/ids": f"{os.getuid()} {os.getgid()} {sorted(os.getgroups())}", "/cwd": os.getcwd()}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [words[environ["PATH_INFO"]].encode()]
