"""``arpent change photo``: ordinary pictures, of any size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arpent.cli.console import facts, note, progress, show, table
from arpent.core import Language, merge, parse
from arpent.engine.settings import Precision, RuntimeName
from arpent.errors import InvalidSetting, PartialFailure
from arpent.language import percent
from arpent.store import Place
from arpent.tasks.change.reference_config import read_reference
from arpent.tasks.change.reference_plan import plan_reference
from arpent.tasks.change.settings import ChangeSettings, Profile

if TYPE_CHECKING:
    from arpent.tasks.change.photos import PhotoRun

__all__ = ["app"]

app = typer.Typer()

_YAML = (".yaml", ".yml")


@app.command()
def photo(
    pictures: Annotated[
        list[Path],
        typer.Argument(help="Two pictures, or a configuration of Planaura's infer_photo.", metavar="PICTURE"),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="NAME|FILE", help="Model for red, green and blue; a configuration names its own."
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="One setting of 'arpent change pair', or one key of the configuration; may be repeated.",
        ),
    ] = None,
    fit: Annotated[bool, typer.Option("--fit", help="Bring the second picture to the size of the first.")] = False,
    reset_patch_embedding: Annotated[
        bool, typer.Option("--reset-patch-embedding", help="Accept weights for other bands, with an untrained layer.")
    ] = False,
    profile: Annotated[Profile, typer.Option("--profile", help="Rules of tiling and merging.")] = "arpent",
    runtime: Annotated[RuntimeName, typer.Option("--runtime", help="What runs the network.")] = "auto",
    precision: Annotated[Precision, typer.Option("--precision", help="Arithmetic of the network.")] = "f32",
    language: Annotated[Language, typer.Option("--language", help="Language of titles and pictures.")] = "en",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; a dated one under runs/ if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run, and products of the same names.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
) -> None:
    """Compares ordinary pictures of any size: a map of cosines, and the picture with what changed in red."""
    place = Place(exact=output, force=force, resume=resume)
    given = {"profile": profile, "runtime": runtime, "precision": precision, "language": language}
    if len(pictures) == 1 and pictures[0].suffix.lower() in _YAML:
        _listed(pictures[0], place, given, assignments or [], fit=fit, reset=reset_patch_embedding)
        return
    if len(pictures) != 2 or model is None:
        raise InvalidSetting(
            "two pictures and a model are needed, or a configuration",
            found=f"{len(pictures)} pictures{'' if model else ' and no model'}",
            cure="For example: arpent change photo before.jpg after.jpg --model rgb.safetensors.",
        )
    from arpent.tasks.change.photos import compare_photos

    settings = parse(ChangeSettings, merge(given, assignments or []), "the command line")
    before, after = pictures
    done = compare_photos(
        before, after, model, place, settings, fit=fit, reset_patch_embedding=reset_patch_embedding, progress=progress()
    )
    _show(done, language)


def _show(done: PhotoRun, language: Language) -> None:
    measured = done.compared.figures
    document = {
        "run": done.run.path,
        "products": {name: path.name for name, path in done.compared.products.items()},
        "overlay": done.overlay,
        "metrics": measured,
    }
    changed = [("changed", percent(measured["changed_share"], language))] if "changed_share" in measured else []
    show(document, facts(changed), f"run      {done.run.path}", f"picture  {done.overlay}")


def _listed(
    config: Path, place: Place, given: dict[str, Any], assignments: list[str], *, fit: bool, reset: bool
) -> None:
    """All rows of a configuration."""
    file = read_reference(config, assignments, kind="photo")
    plan = plan_reference(file, given)
    from arpent.tasks.change.photos import run_photos

    for line in plan.notes:
        note(line)
    made = run_photos(plan, place, fit=fit, reset_patch_embedding=reset, progress=progress())
    document = {"run": made.run.path, "files": made.placed, "failed": made.failed}
    rows = [*((str(path), "done") for path in made.placed), *made.failed.items()]
    show(document, table(["file", "state"], rows), f"run  {made.run.path}")
    if made.failed:
        raise PartialFailure(
            f"{len(made.failed)} of {len(plan.pairs) + len(plan.refused)} could not be done",
            found=next(iter(made.failed.values())),
            cure="Correct them, and run them again as a list of their own, or all with --force; "
            f"{made.run.path / 'manifest.json'} names them.",
        )
