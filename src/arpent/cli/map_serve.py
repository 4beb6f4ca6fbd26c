"""``arpent map serve``: from run folders to a map in the browser, with one command."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import note, progress, show
from arpent.cli.places import Spoken
from arpent.language import language_named, say

if TYPE_CHECKING:
    from arpent.web.site.serving import Address

__all__ = ["app"]

app = typer.Typer()


@app.command()
def serve(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="Run folders, or folders that hold them. [default: runs]"),
    ] = None,
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="Where to listen; 0 is any port.")] = 8000,
    host: Annotated[str, typer.Option("--host", help="Address to listen at; others than this machine need a key.")] = (
        "127.0.0.1"
    ),
    browser: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open the map in the browser, where there is one.")
    ] = None,
    language: Spoken = "en",
) -> None:
    """Puts runs on the map and serves it until Ctrl-C.

    The database and the images for the screen lie in DATA_PATH and can be made again at any time; runs that are on the
    map already are not registered twice.
    """
    from arpent.web.site.serving import Address, migrate, serve, set_up

    spoken = language_named(language)
    set_up()
    from django.conf import settings

    from arpent.web.index.failing import database_told
    from arpent.web.index.gathering import gather
    from arpent.web.site.guard import check_address

    check_address(host, settings.ENVIRONMENT)
    migrate()
    with database_told():
        gathered = gather(runs or [path for path in (Path("runs"),) if path.is_dir()], progress())
    for line in (*gathered.failed, *(line for done in gathered.done for line in done.problems)):
        note(line)
    count, new = len(gathered.done), sum(done.is_new for done in gathered.done)

    def ready(address: Address) -> None:
        document = {"address": str(address), "data": settings.DATA_PATH, "runs": count, "new": new}
        show(document, say("serve.ready", spoken, count=count, new=new, address=str(address)))
        sys.stdout.flush()
        if browser or (browser is None and _has_screen()):
            import webbrowser

            webbrowser.open(str(address))

    serve(Address(host, port), ready)


def _has_screen() -> bool:
    """Whether a browser that opens would be seen."""
    is_desktop = sys.platform in ("darwin", "win32") or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))
    return is_desktop and sys.stdout.isatty()
