import pathlib

BASE_DIR = pathlib.Path(__file__).resolve().parent.parent
ENV = dict(line.split("=", 1) for line in (BASE_DIR / ".env").read_text().splitlines() if "=" in line)

SECRET_KEY = ENV["SECRET_KEY"]
DEBUG = ENV["DEBUG"] == "True"
ALLOWED_HOSTS = ENV["ALLOWED_HOSTS"].split(",")
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.staticfiles", "notes"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "physionet.urls"
WSGI_APPLICATION = "physionet.wsgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 60,
                         **{key: ENV[f"DB_{key}"] for key in ("HOST", "PORT", "NAME", "USER", "PASSWORD")}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / ENV["STATIC_ROOT"]
MEDIA_ROOT = ENV["MEDIA_ROOT"]
