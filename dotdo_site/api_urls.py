"""Everything under /api/: version 1, its schema and documentation, and a problem document for what is not there."""

from django.http import Http404
from django.urls import include, path, re_path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView


@extend_schema(exclude=True)
class Missing(APIView):
    """Every address of the API that does not exist."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *_: object, **__: object) -> None:
        """Raise Http404 before the method is looked at."""
        raise Http404(f"{request.path} is not an address of the API; /api/docs/ lists them")


urlpatterns = [
    path("v1/", include("workflows.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(url_name="api-schema", template_name="api/docs.html"),
        name="api-docs",
    ),
    re_path(r"", Missing.as_view(), name="api-missing"),
]
