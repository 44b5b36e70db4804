from django.urls import path, re_path

from workflows import hooks as addresses
from workflows.views import hooks

urlpatterns = [
    path("e/<str:name>", hooks.SignedDoor.as_view(), name="endpoint-hook"),
    path("<str:token>", hooks.RunHook.as_view(), name="run-hook"),
    re_path(rf"^(?P<token>[^/]+)/(?P<name>{addresses.NAME})$", hooks.RunHook.as_view(), name="run-hook-named"),
]
