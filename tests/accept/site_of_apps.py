"""Real uWSGI vassals with Python apps, each in a directory of its own."""
import os

import client


class Site:
    """A court of real vassals; each app in a directory of its own."""

    def __init__(self, new_court, *options):
        self.court = new_court(*options, real=True, env={"DJANGO_SETTINGS_MODULE": "physionet.settings.production"})

    def app(self, name, kind="hello", answer="one", lines=()):
        place = self.court.base / name
        place.mkdir()
        (place / "answer").write_text(answer)
        (place / "app.py").write_text((self.court.setup.apps / f"{kind}.py").read_text())
        os.chown(place, self.court.accounts.pn.uid, self.court.accounts.pn.gid)
        self.court.write(f"{name}.ini", "\n".join([
            "[uwsgi]", f"chdir = {place}", "wsgi-file = app.py", f"socket = {place}/socket", "master = true", "processes = 2",
            "vacuum = true", "worker-reload-mercy = 2", *(line.format(place=place) for line in lines), ""]))
        return place

    def says(self, place, words, path="/", deadline=10):
        self.court.wait_for(lambda: self.ask(place, path) == words, deadline, f"{place.name} answers {words}, {self.ask(place, path)}")

    @staticmethod
    def ask(place, path="/"):
        try:
            return client.get(place / "socket", path)
        except OSError as error:
            return type(error).__name__
