"""Settings of the peer: one app, one table, no middleware."""

from __future__ import annotations

import os

from donna_skills import env

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.contenttypes", "ninja", "bench.peer"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "bench.peer.urls"
WSGI_APPLICATION = "bench.peer.wsgi.application"
# Our own reading of the address, so that both have the same pragmas and the same connection life.
DATABASES = {"default": env.database("DATABASE_URL", default="")}
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
