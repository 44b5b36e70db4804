from django.urls import path

from dotdo_site.access import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-in/<str:token>/", views.sign_in_link, name="sign-in-link"),
    path("sign-out/", views.SignOut.as_view(), name="sign-out"),
    path("password/", views.Password.as_view(), name="password"),
]
