"""What a server says before anything was pushed to it."""


def application(_environ, start_response):
    start_response("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "60")])
    return [b"Nothing has been deployed here yet.\n"]
