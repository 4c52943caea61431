"""migrations - what a release would do to the database. Run with the release's Python, in its checkout.

    migrations.py check             manage.py check, makemigrations --check, then as plan: all in one start of Django
    migrations.py plan              one line each: "early APP NAME", "late APP NAME", "unknown APP NAME"; 1 if they do not fit
    migrations.py early             applies the early ones
    migrations.py late              applies all that are left
    migrations.py late-of APP.NAME...   those of them that this code knows to be late

Early is what the code that serves can live with: it is applied before the new code starts. What would break that code is late, says so
with MIGRATE_AFTER_INSTALL = True in its class Migration, and is applied when the old code is gone. Unknown is what another release has
applied and this one does not have.
"""
import os
import sys

sys.path.insert(0, os.getcwd())
import django  # noqa: E402

try:
    django.setup()
except Exception:
    sys.excepthook(*sys.exc_info())
    sys.exit("the code cannot be loaded")
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.migrations.exceptions import InconsistentMigrationHistory  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402


class Plan:
    def __init__(self):
        self.executor = MigrationExecutor(connection)
        self.loader = self.executor.loader
        self.waiting = [migration for migration, _ in self.executor.migration_plan(self.loader.graph.leaf_nodes())]
        self.late = [key(m) for m in self.waiting if is_late(m)]
        self.early = [key(m) for m in self.waiting if not is_late(m)]
        self.unknown = sorted(set(self.loader.applied_migrations) - set(self.loader.disk_migrations)
                              - {old for m in self.loader.disk_migrations.values() for old in m.replaces})

    def misfits(self):
        """What is wrong with it, in words."""
        try:
            self.loader.check_consistent_history(connection)
        except InconsistentMigrationHistory as error:
            yield str(error)
        for app, names in self.loader.detect_conflicts().items():
            yield f"{app} has several last migrations: {', '.join(names)}"
        for early in self.early:
            for behind in set(self.loader.graph.forwards_plan(early)) & set(self.late):
                yield f"{named(early)} is early but needs {named(behind)}, which is late: mark it late, too, or push it later"

    def last_early(self):
        """The last early one of each application."""
        return dict(self.early).items()


def key(migration):
    return migration.app_label, migration.name


def named(pair):
    return ".".join(pair)


def is_late(migration):
    return getattr(migration, "MIGRATE_AFTER_INSTALL", False)


def judged(what, command, **options):
    """What it says goes to standard error; if it fails, what is the last line."""
    try:
        call_command(command, stdout=sys.stderr, **options)
    except BaseException as error:  # makemigrations --check exits
        if not isinstance(error, SystemExit):
            sys.excepthook(*sys.exc_info())
        sys.exit(f"{what}: failed")


def main(verb, *names):
    if verb == "check":
        judged("manage.py check", "check")
        judged("a migration for each change of a model", "makemigrations", check_changes=True, dry_run=True)
    plan = Plan()
    if verb in ("check", "plan"):
        for word in ("early", "late", "unknown"):
            for app, name in getattr(plan, word):
                print(word, app, name)
        wrong = sorted(plan.misfits())
        for line in wrong:
            print("migrations do not fit:", line, file=sys.stderr)
        return 1 if wrong else 0
    if verb == "early":
        for app, name in plan.last_early():
            call_command("migrate", app, name, interactive=False)
    elif verb == "late":
        call_command("migrate", interactive=False)
    elif verb == "late-of":
        print(*(name for name in names if is_late(plan.loader.disk_migrations.get(tuple(name.split(".", 1))))), sep="\n")
    else:
        sys.exit(__doc__)
    return 0


sys.exit(main(*(sys.argv[1:] or ["help"])))
