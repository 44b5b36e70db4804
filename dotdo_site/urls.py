"""The front door: dashboard, API, admin, health."""

from django.contrib import admin
from django.urls import include, path

from dotdo_site import health, problem_pages

urlpatterns = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("admin/", admin.site.urls),
    path("api/", include("dotdo_site.api_urls")),
    path("problems/<slug:slug>", problem_pages.show, name="problem-type"),
    path("hooks/", include("workflows.views.hook_urls")),
    path("", include("dotdo_site.access.urls")),
    path("", include("workflows.views.urls")),
]
handler500 = "dotdo_site.server_errors.show"
