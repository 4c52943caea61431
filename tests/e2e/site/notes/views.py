import getpass
import time

from django.conf import settings
from django.http import JsonResponse

from notes.models import Note
from physionet.version import VERSION

FIELD = "text"


def index(_request):
    """Reads and writes the column of this version, so that a migration at the wrong time is an error that a client sees."""
    note, _ = Note.objects.get_or_create(**{FIELD: f"written by {VERSION}"})
    return JsonResponse({"version": VERSION, "release": settings.BASE_DIR.parent.name, "user": getpass.getuser(), "note": getattr(note, FIELD)})


def slow(request):
    time.sleep(float(request.GET["seconds"]))
    return index(request)
