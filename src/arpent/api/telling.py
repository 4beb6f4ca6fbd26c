"""A run in words: one paragraph for a terminal, a card for a notebook."""

from __future__ import annotations

from pathlib import Path

from arpent.core import Language
from arpent.errors import ArpentError
from arpent.language import number, say, storage, warned
from arpent.report.page import Picture, Table
from arpent.report.summary import Summary, summary_html, thumbnail
from arpent.store import Product, Run
from arpent.web.timelines import name_of_bundle

__all__ = ["html", "plainly"]

_LISTED = 12
"""Products that are listed one by one."""
_NOTED = 4
"""Warnings that are told in full."""
_SAID = 3
"""Texts that are shown."""
_MEASURED = 40
_KINDS = ("raster", "vector", "table", "text", "page", "picture", "model")
_TITLES = ("change", "classify", "describe", "embed", "forecast", "landcover")


def plainly(run: Run) -> str:
    """A few lines of text."""
    manifest = run.manifest
    shown = _ordered(run)[:_LISTED]
    wide = max((len(one.name) for one in shown), default=0)
    sizes = [storage(one.bytes, "en") for one in shown]
    long = max(map(len, sizes), default=0)
    lines = [f"Run of {manifest.task} '{manifest.name}' in {run.place} ({manifest.status})"]
    lines += [
        f"  {one.name:<{wide}}  {size:>{long}}  {one.kind:<7}  {one.file}"
        for one, size in zip(shown, sizes, strict=True)
    ]
    if len(manifest.products) > len(shown):
        lines.append(f"  … and {len(manifest.products) - len(shown)} more")
    lines += [f"  {warned(warning, manifest.language)}" for warning in manifest.warnings[:_NOTED]]
    if len(manifest.warnings) > _NOTED:
        lines.append(f"  … and {len(manifest.warnings) - _NOTED} more warnings")
    return "\n".join(lines)


def html(run: Run) -> str:
    """A card: title, warnings, a picture, what it holds and what was measured, where it lies."""
    language = run.manifest.language
    title = _title(run, language)
    return summary_html(
        Summary(
            say("result.shown_of", language, title=title, name=run.manifest.name),
            _lead(run),
            _notes(run, language),
            _picture(run, title),
            [table for table in (_said(run, language), _products(run, language), _metrics(run, language)) if table],
            _footer(run, language),
            language,
        )
    )


def _ordered(run: Run) -> list[Product]:
    """Maps before tables before pictures; otherwise as the run has them."""
    return sorted(run.manifest.products, key=lambda one: _KINDS.index(one.kind))


def _title(run: Run, language: Language) -> str:
    task = run.manifest.task
    for name in _TITLES:
        if task == name or task.startswith(f"{name}-"):
            title = say(f"result.{name}", language)
            return say("result.judged", language, title=title) if task.endswith("-evaluate") else title
    return task


def _lead(run: Run) -> str:
    """What it was made from, by name."""
    inputs = [Path(one.source).name for one in run.manifest.inputs]
    return ", ".join(inputs[:_NOTED]) + (" …" if len(inputs) > _NOTED else "")


def _notes(run: Run, language: Language) -> list[str]:
    manifest = run.manifest
    told = [warned(warning, language) for warning in manifest.warnings[:_NOTED]]
    if len(manifest.warnings) > _NOTED:
        told.append(say("result.more_notes", language, count=len(manifest.warnings) - _NOTED))
    if manifest.failures:
        first = manifest.failures[0].message
        told.append(say("result.failed", language, count=len(manifest.failures), first=first))
    return told


def _picture(run: Run, alt: str) -> Picture | None:
    """The preview, else the first picture; none where its file is gone, for a card is no place to fail."""
    pictures = sorted((one for one in run.manifest.products if one.kind == "picture"), key=_is_no_preview)
    for one in pictures[:1]:
        try:
            return Picture(thumbnail(run.locate(one).read_bytes()), alt)
        except (ArpentError, OSError):
            return None
    return None


def _is_no_preview(product: Product) -> bool:
    return not product.name.startswith("preview")


def _products(run: Run, language: Language) -> Table:
    every = _ordered(run)
    rows = [[one.name, say(f"result.kind_{one.kind}", language), storage(one.bytes, language)] for one in every]
    if len(rows) > _LISTED:
        rows = [*rows[:_LISTED], ["…", "", ""]]
    heads = [say(f"result.{head}", language) for head in ("names", "what", "size")]
    return Table(heads, rows, caption=say("result.products", language, count=len(every)), right=(2,))


def _metrics(run: Run, language: Language) -> Table | None:
    known = [(name, value) for name, value in run.manifest.metrics.items() if value is not None]
    if not known:
        return None
    rows = [[name, number(value, language)] for name, value in known[:_MEASURED]]
    if len(known) > _MEASURED:
        rows.append(["…", ""])
    heads = [say("result.names", language), say("word.value", language)]
    return Table(heads, rows, caption=say("result.measured", language), right=(1,))


def _said(run: Run, language: Language) -> Table | None:
    """The first texts of a describing run."""
    if run.manifest.task not in ("describe-indices", "describe-generate"):
        return None
    from arpent.api.texts import texts_of

    try:
        texts = texts_of(run, language)
    except (ArpentError, OSError):
        return None
    rows = [[one.parcel, one.text] for one in texts[:_SAID]]
    heads = [say("season.parcel", language), say("result.kind_text", language)]
    return Table(heads, rows, caption=say("result.said", language))


def _footer(run: Run, language: Language) -> str:
    manifest = run.manifest
    footer = say(
        "result.footer",
        language,
        place=run.place,
        version=manifest.versions.get("arpent", ""),
        when=manifest.finished.date(),
    )
    if manifest.bundle is None:
        return footer
    return say("result.footer_model", language, footer=footer, model=name_of_bundle(Path(manifest.bundle.source)))
