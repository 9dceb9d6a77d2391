"""The peer's WSGI entry point. It makes its table itself: see `prepare`."""

from __future__ import annotations

import os

import django
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peer.settings")
application = get_wsgi_application()


def prepare() -> None:
    """Create the table in an empty database."""
    from django.db import connection

    from bench.peer.models import Row

    django.setup()
    with connection.schema_editor() as editor:
        editor.create_model(Row)


if __name__ == "__main__":
    prepare()
