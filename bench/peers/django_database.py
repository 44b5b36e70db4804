"""Django's name for the database of a peer that is a Django application."""

import os
from typing import Any
from urllib.parse import parse_qs, urlsplit


def database() -> dict[str, Any]:
    """Return DATABASES; connections stay open, for Django's default would connect for every task."""
    parts = urlsplit(os.environ["BENCH_DATABASE"])
    options = parse_qs(parts.query)
    return {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path.lstrip("/"),
            "USER": parts.username,
            "HOST": options["host"][0],
            "PORT": options["port"][0],
            "CONN_MAX_AGE": None,
        }
    }
