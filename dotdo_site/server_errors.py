"""What people see when a page fails: our mistake, or a database that is away, which is no mistake."""

import logging
import sys

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error

from dotdo_site.lib import refusals
from dotdo_site.lib.database_errors import DISK_FULL, is_outage, sqlstate
from dotdo_site.lib.problems import RETRY_AFTER_SECONDS

log = logging.getLogger(__name__)


def show(request: HttpRequest) -> HttpResponse:
    """Answer an error that no view answered: 503 and when to come back while the database is away, else 500.

    Django calls this while it handles the error. The page asks the database nothing.
    """
    error = sys.exc_info()[1]
    if error is None or not is_outage(error):
        return server_error(request)
    if sqlstate(error) == DISK_FULL:
        refusals.note()
    log.error("the database did not do it: %s", str(error).strip())
    page = render_to_string("503.html")
    return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
