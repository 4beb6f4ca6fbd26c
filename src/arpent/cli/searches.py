"""``--stac --bbox --datetime``: images by place and time, for every command that takes images."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, Any

import typer

from arpent.cli.console import note
from arpent.cli.options import keywords, offered
from arpent.core import shown_address
from arpent.errors import InvalidSetting

__all__ = ["with_search"]

_IMAGES = ("image", "images", "source")
"""What commands call the images that they take."""

_OPTIONS = {
    "stac": typer.Option(
        "--stac", metavar="FILE|URL", help="Take images from a STAC catalog: a file, an address, a STAC API."
    ),
    "bbox": typer.Option("--bbox", metavar="W,S,E,N", help="Of --stac, those that touch this box, in degrees."),
    "when": typer.Option(
        "--datetime", metavar="DAY|FROM/TO", help="Of --stac, those of these days; .. is an open end."
    ),
}


def with_search(command: Callable[..., None]) -> Callable[..., None]:
    """Adds to a command that takes images the options that find them in a STAC catalog.

    A command that takes one image gets all that is found as one, side by side; a command that takes several gets each
    item as an image of its own, the earliest first.
    """
    parameters = keywords(command)
    name, annotation = next((p.name, p.annotation) for p in parameters if p.name in _IMAGES)
    inner, *extras = typing.get_args(annotation)
    several = list in (typing.get_origin(branch) for branch in (inner, *typing.get_args(inner)))
    optional = inner if type(None) in typing.get_args(inner) else inner | None
    hint = Annotated[(optional, *extras)]  # type: ignore[valid-type]
    parameters = [p.replace(annotation=hint, default=None) if p.name == name else p for p in parameters]

    @functools.wraps(command)
    def run(*, stac: str | None, bbox: str | None, when: str | None, **values: Any) -> None:  # noqa: ANN401
        found = _found(stac, bbox, when, several=several)
        if found is not None and values[name]:
            raise InvalidSetting("images are both named and searched for", cure="Leave out the images, or --stac.")
        if found is None and not values[name]:
            raise InvalidSetting("no image is given", cure="Name one, or search for some with --stac.")
        command(**values | ({} if found is None else {name: found}))

    added = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option])
        for key, option in _OPTIONS.items()
    ]
    return offered(run, [*parameters, *added])


def _found(stac: str | None, bbox: str | None, when: str | None, *, several: bool) -> str | list[str] | None:
    """What the options find; None where nothing is searched for."""
    if stac is None:
        for option, value in (("--bbox", bbox), ("--datetime", when)):
            if value:
                raise InvalidSetting(f"{option} is about a catalog", cure=f"Add --stac, or leave out {option}.")
        return None
    from arpent.io.documents import web_parts
    from arpent.io.search import Wanted, items_as_files, items_as_one_file, search_items

    items = search_items(stac, Wanted.of(bbox, when))
    note(f"{len(items)} items: {', '.join(str(item.content.get('id')) for item in items[:3])}{' …' * (len(items) > 3)}")
    if several:
        return [str(path) for path in items_as_files(items)]
    address = web_parts(shown_address(stac))
    name = str(items[0].content.get("id")) if len(items) == 1 else PurePosixPath(address.path).stem or address.netloc
    return str(items_as_one_file(items, name))
