"""Pages from the templates beside this module: text is shown as it is, and can never become markup."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["filled", "own"]

_HERE = files("arpent.report")


def own(name: str) -> Markup:
    """A style or a script of our own, which is markup."""
    from markupsafe import Markup

    return Markup(_HERE.joinpath(name).read_text("utf-8"))  # noqa: S704 - nobody else's


def filled(template: str, **values: object) -> str:
    """A template with what it names; what it names and nobody gives is an error."""
    from jinja2 import Environment, StrictUndefined

    text = _HERE.joinpath(template).read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(text).render(**values)
