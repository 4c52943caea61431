"""developer - a clone of the site's repository, what is changed in it, and how it is pushed. The site's first version is in site/."""
import pathlib
import pwd
import shutil
import subprocess
import textwrap
import zipfile

SITE = pathlib.Path(__file__).resolve().parent / "site"
MIGRATION = """from django.db import migrations, models
{extra}

class Migration(migrations.Migration):
    {late}dependencies = [("notes", "{before}")]
    operations = [{operations}]
"""


class Developer:
    def __init__(self, home):
        self.home = home
        shutil.copytree(SITE, home)
        self.git("init", "-q", "-b", "dev")
        self.git("config", "user.name", "A Developer")
        self.git("config", "user.email", "developer@localhost")

    def git(self, *words):
        return subprocess.run(["git", "-C", str(self.home), *words], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip()

    # ---- changes
    def write(self, name, text):
        (self.home / name).write_text(textwrap.dedent(text))

    def edit(self, name, old, new):
        text = (self.home / name).read_text()
        assert old in text, f"{name} has no {old}"
        (self.home / name).write_text(text.replace(old, new))

    def put_first(self, name, text):
        (self.home / name).write_text(text + "\n" + (self.home / name).read_text())

    def version(self, version):
        self.write("physionet/version.py", f'VERSION = "{version}"\n')
        self.write("notes/static/notes/site.css", f"/* version {version} */\n")

    def migration(self, name, before, operations, late=False, extra=""):
        self.write(f"notes/migrations/{name}.py",
                   MIGRATION.format(before=before, operations=operations, extra=extra, late="MIGRATE_AFTER_INSTALL = True\n    " if late else ""))

    def commit(self, words):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", words)
        return self.head()

    def head(self):
        return self.git("rev-parse", "HEAD")

    def back_to(self, commit):
        """What was refused is not kept."""
        self.git("reset", "-q", "--hard", commit)

    # ---- pushes
    def begin_push(self, server, source="HEAD", branch=None):
        """As over ssh: what receives it runs as the code's user, with little in its environment."""
        home = pwd.getpwnam(server.code_user).pw_dir
        receive = f"runuser -u {server.code_user} -- env -i -C {home} HOME={home} PATH=/usr/local/bin:/usr/bin:/bin git-receive-pack"
        return subprocess.Popen(["git", "-C", str(self.home), "push", f"--receive-pack={receive}", f"{server.root}/physionet-build.git",
                                 f"{source}:refs/heads/{branch or server.kind}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def push(self, server, source="HEAD", branch=None):
        """(git's exit status, what the pusher saw)"""
        process = self.begin_push(server, source, branch)
        seen = process.communicate(timeout=120)[0]
        return process.returncode, seen


def make_wheel(directory, name, version):
    """A package of one module, as pip takes it from a directory of files."""
    directory.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {f"{name}.py": f'VERSION = "{version}"\n',
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)
