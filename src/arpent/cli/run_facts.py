"""What a manifest tells people: what is doubtful, what went in, every setting, what was measured, what came out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from arpent.cli.setting_facts import setting_facts
from arpent.core import Language
from arpent.language import number, say, storage, warned
from arpent.store.manifest import InputRecord, Manifest

__all__ = ["product_rows", "run_facts", "warning_lines"]

_HASH = 12
"""Characters of a hash that are shown; all of them stand in the manifest."""
_INPUTS = 40
"""Inputs that are named one by one."""
_LONGEST = 80
"""Characters of a setting's value that are shown."""


def warning_lines(manifest: Manifest) -> list[str]:
    """What makes the result doubtful, a line each, in the language of the run."""
    return [warned(warning, manifest.language) for warning in manifest.warnings]


def run_facts(manifest: Manifest, language: Language) -> list[tuple[str, object]]:
    """Names and values, one pair per line."""
    bundle, odd = manifest.bundle, say("runs.not_finite", language)
    return [
        (say("word.task", language), manifest.task),
        (say("word.name", language), manifest.name),
        (say("runs.status", language), say(f"runs.{manifest.status}", language)),
        (say("runs.created", language), f"{manifest.created:%Y-%m-%d %H:%M} UTC"),
        *_input_facts(manifest.inputs, language),
        (say("word.model", language), _hashed(bundle.source, bundle.sha256) if bundle else say("runs.none", language)),
        *_setting_facts(manifest, language),
        *(
            (say("runs.time", language, step=step), f"{number(s, language, 1)} s")
            for step, s in manifest.timings.items()
        ),
        *((name, odd if value is None else _figure(name, value, language)) for name, value in manifest.metrics.items()),
        *((say("runs.failed", language, item=failure.item), failure.message) for failure in manifest.failures),
        (say("runs.versions", language), ""),
        *((f"  {name}", version) for name, version in manifest.versions.items()),
    ]


def product_rows(manifest: Manifest, language: Language) -> list[tuple[str, str, str, str]]:
    """Name, kind, size and file of each product."""
    return [(one.name, one.kind, storage(one.bytes, language), one.file) for one in manifest.products]


def _hashed(source: str, sha256: str | None) -> str:
    """A file by its path and the beginning of its hash; folders and addresses have none."""
    return f"{source} ({sha256[:_HASH]}…)" if sha256 else source


def _input_facts(inputs: Sequence[InputRecord], language: Language) -> Iterator[tuple[str, object]]:
    for record in inputs[:_INPUTS]:
        yield say("runs.input", language, role=record.role), _hashed(record.source, record.sha256)
    if len(inputs) > _INPUTS:
        yield say("runs.inputs", language), say("runs.more_inputs", language, count=len(inputs) - _INPUTS)


def _setting_facts(manifest: Manifest, language: Language) -> Iterator[tuple[str, object]]:
    if manifest.settings:
        yield say("runs.settings", language), ""
        yield from setting_facts(manifest.settings, language, longest=_LONGEST)


def _figure(name: str, value: float, language: Language) -> str:
    """A figure as people read it: areas in whole square metres, the unit that their names bear."""
    if name.partition("/")[0].endswith("_m2"):
        return f"{number(value, language, 0)} m²"
    return f"{value:.4g}"
