"""The web server's entry: `gunicorn dotdo_site.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dotdo_site.settings")

application = get_wsgi_application()
