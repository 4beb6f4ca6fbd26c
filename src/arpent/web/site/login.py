"""Signing in, with a brake on who guesses."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Any

from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

__all__ = ["Login"]

MOST_TRIES = 10
_SECONDS = 600


class Login(LoginView):
    """The form; after many wrong passwords for a name, its guesser waits for ten minutes."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ANN401 - as Django calls it
        """Looks at the password, unless too many were wrong."""
        if cache.get(self._tries, 0) < MOST_TRIES:
            return super().post(request, *args, **kwargs)
        context = self.get_context_data(form=self.get_form_class()(), waits=True)
        headers = {"Retry-After": str(_SECONDS)}
        return self.render_to_response(context, status=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)

    def form_invalid(self, form: Any) -> HttpResponse:  # noqa: ANN401 - django publishes no types
        """Counts what was wrong."""
        cache.set(self._tries, cache.get(self._tries, 0) + 1, _SECONDS)
        return super().form_invalid(form)

    @property
    def _tries(self) -> str:
        """Under which key the tries of this guesser for this name are counted, in this process."""
        # As the form reads it, without blanks around it and in one Unicode form: other spellings are no other name.
        name = self.get_form_class()().fields["username"].to_python(self.request.POST.get("username", ""))
        who = (self.request.META.get("REMOTE_ADDR", ""), name)
        return f"tries-{hashlib.sha256(repr(who).encode()).hexdigest()}"
