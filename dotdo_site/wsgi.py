"""The web server's entry: `gunicorn dotdo_site.wsgi`."""

import gc
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from dotdo_site import database_checks
from dotdo_site.lib.measured import Measured
from dotdo_site.lib.strict_json import MAX_BYTES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dotdo_site.settings")

_django = get_wsgi_application()
database_checks.at_start()
application = Measured(_django, settings.DATA_UPLOAD_MAX_MEMORY_SIZE or MAX_BYTES)
# What is loaded once is never garbage: without it a full collection does not interrupt a page for a tenth of a second.
gc.collect()
gc.freeze()
