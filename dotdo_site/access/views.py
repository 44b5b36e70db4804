"""Sign-in, sign-out, password, one-time links."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET
from django.views.generic import FormView

from audit.recording import record
from dotdo_site.access import addresses, links, people

if TYPE_CHECKING:
    PasswordForm = SetPasswordForm[User]
    PasswordFormView = FormView[PasswordForm]
else:
    PasswordForm, PasswordFormView = SetPasswordForm, FormView

BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignIn(LoginView):
    """Sign in with name and password; django-axes locks after five refusals in a row."""

    template_name = "registration/sign_in.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """Sign out, by POST only."""


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class Password(LoginRequiredMixin, PasswordFormView):
    """Change the password; somebody who came by a link and has none yet may set one."""

    template_name = "registration/password.html"
    success_url = reverse_lazy("password")

    def get_form_class(self) -> type[PasswordForm]:
        """Ask for the old password where there is one."""
        return PasswordChangeForm if self._person().has_usable_password() else SetPasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """Give the form its user."""
        return {**super().get_form_kwargs(), "user": self._person()}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Tell the template whether there is a password to change."""
        return super().get_context_data(has_password=self._person().has_usable_password(), **kwargs)

    def form_valid(self, form: PasswordForm) -> HttpResponse:
        """Save and record; other sessions of this person end, this one goes on."""
        user = self._person()
        with transaction.atomic():
            form.save()
            record(chain=people.chain(user), kind="password.changed", actor=f"user:{user.username}")
        update_session_auth_hash(self.request, user)
        messages.success(self.request, "Your password is set.")
        return super().form_valid(form)

    def _person(self) -> User:
        if not isinstance(self.request.user, User):
            raise TypeError("only for a signed-in person")
        return self.request.user


@never_cache
@require_GET
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in with a one-time link, at once.

    A GET that changes something is safe here because nobody else can make the request: the token is secret, the peer
    must be this machine, and a request that a browser makes ahead of the person, or for another site, is refused.
    Following the link again in the same session leads to the first page.
    """
    if not addresses.is_loopback(request) or _not_by_the_person(request):
        return render(request, "registration/link_invalid.html", {"reason": "place"}, status=403)
    user = links.redeem(token, timezone.now())
    if user is not None:
        login(request, user, backend=BACKEND)
        return redirect("/")
    if request.user.is_authenticated and request.user == links.owner(token):
        return redirect("/")
    return render(request, "registration/link_invalid.html", {"reason": "used"}, status=410)


def _not_by_the_person(request: HttpRequest) -> bool:
    purpose = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    site = request.headers.get("Sec-Fetch-Site", "none")
    return "prefetch" in purpose or site not in {"none", "same-origin"}
