"""``arpent change photo``: ordinary pictures, of any size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arpent.cli.comparisons import Replace, Reset, changed_facts
from arpent.cli.console import facts, note, progress, show, table, where_to_find
from arpent.cli.places import Name, Output, Resume, place
from arpent.core import Language, merge, parse
from arpent.engine.settings import Precision, RuntimeName
from arpent.errors import InvalidSetting, PartialFailure
from arpent.language import say
from arpent.tasks.change.reference_config import read_reference
from arpent.tasks.change.reference_plan import plan_reference
from arpent.tasks.change.settings import ChangeSettings, Profile

if TYPE_CHECKING:
    from arpent.store import Place
    from arpent.tasks.change.photos import PhotoRun

__all__ = ["app"]

app = typer.Typer()

_YAML = (".yaml", ".yml")


@app.command()
def photo(
    pictures: Annotated[
        list[Path],
        typer.Argument(
            help="Two pictures, or a configuration of Planaura's infer_photo.", metavar="PICTURE|CONFIG.yaml"
        ),
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
    reset_patch_embedding: Reset = False,
    profile: Annotated[Profile, typer.Option("--profile", help="Rules of tiling and merging.")] = "arpent",
    runtime: Annotated[RuntimeName, typer.Option("--runtime", help="What runs the network.")] = "auto",
    precision: Annotated[Precision, typer.Option("--precision", help="Arithmetic of the network.")] = "f32",
    language: Annotated[Language, typer.Option("--language", help="Language of titles and pictures.")] = "en",
    output: Output = None,
    name: Name = None,
    force: Replace = False,
    resume: Resume = False,
) -> None:
    """Compares ordinary pictures of any size: a map of cosines, and the picture with what changed in red."""
    where = place(output, name, force=force, resume=resume)
    given = {"profile": profile, "runtime": runtime, "precision": precision, "language": language}
    if len(pictures) == 1 and pictures[0].suffix.lower() in _YAML:
        _listed(pictures[0], where, given, assignments or [], fit=fit, reset=reset_patch_embedding)
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
        before, after, model, where, settings, fit=fit, reset_patch_embedding=reset_patch_embedding, progress=progress()
    )
    _show(done, language)


def _show(done: PhotoRun, language: Language) -> None:
    measured = done.compared.figures
    document = {
        "run": done.run.path,
        "products": {name: path.name for name, path in done.compared.products.items()},
        "overlay": done.overlay,
        "metrics": measured,
        "judgement": done.compared.judgement,
    }
    places = [(say("word.run", language), done.run.path), (say("told.picture", language), done.overlay)]
    show(document, facts(changed_facts(measured, done.compared.judgement, language)), *where_to_find(places))


def _listed(
    config: Path, where: Place, given: dict[str, Any], assignments: list[str], *, fit: bool, reset: bool
) -> None:
    """All rows of a configuration."""
    file = read_reference(config, assignments, kind="photo")
    plan = plan_reference(file, given)
    from arpent.tasks.change.photos import run_photos

    for line in plan.notes:
        note(line)
    made = run_photos(plan, where, fit=fit, reset_patch_embedding=reset, progress=progress())
    document = {"run": made.run.path, "files": made.placed, "failed": made.failed}
    language = plan.settings.language
    rows = [*((str(path), say("told.done", language)) for path in made.placed), *made.failed.items()]
    heads = [say("word.file", language), say("told.state", language)]
    show(document, table(heads, rows), *where_to_find([(say("word.run", language), made.run.path)]))
    if made.failed:
        raise PartialFailure(
            f"{len(made.failed)} of {len(plan.pairs) + len(plan.refused)} could not be done; "
            f"first: {next(iter(made.failed.values())).rstrip('.')}",
            cure="Correct them, and run them again as a list of their own, or all with --force; "
            f"{made.run.path / 'manifest.json'} names them.",
        )
