"""The pages behind the `type` of problem documents, open to everybody."""

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html_join
from django.views.decorators.http import require_safe

from dotdo_site.lib.problem_types import TYPES


@require_safe
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Explain a type of problem."""
    if slug not in TYPES:
        raise Http404("There is no problem of this type.")
    status, when = TYPES[slug]
    parts = (("code" if at % 2 else "span", part) for at, part in enumerate(re.split("`", when)) if part)
    explained = format_html_join("", "<{0}>{1}</{0}>", parts)
    return render(request, "problem_type.html", {"slug": slug, "status": status, "when": explained})
