"""What a describer has learnt from, as far as its bundle or the user tells: it decides what is held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arpent.core.bundle import FOLDER_HEADER
from arpent.errors import ArpentError, DatasetError, InputError, ModelError
from arpent.language import Measured
from arpent.language.axes import Profile
from arpent.store import read_contract
from arpent.tasks.describe.judging import Training
from arpent.tasks.describe.table import measured_of, read_rows
from arpent.tasks.describe.truth import Vectors, read_vectors

__all__ = ["LearntFrom", "learnt_from"]


@dataclass(frozen=True)
class LearntFrom:
    """What is known of a training.

    Attributes:
        training: its parcels; None where nobody knows them.
        vectors: all embeddings that were found, of the training's parcels and of others.
        problems: why something could not be found, one line each.
        profile: whose axes and thresholds the texts go by.
    """

    training: Training | None
    vectors: Vectors
    problems: tuple[str, ...] = ()
    profile: Profile = "arpent"


def learnt_from(bundle: Path | None, table: str | None, embeddings: tuple[str, ...]) -> LearntFrom:
    """Looks up what a describer has learnt from.

    Args:
        bundle: the describer, whose contract names its table, its embeddings, and what it was not shown.
        table: that the user names instead of the bundle's.
        embeddings: that the user names beside the bundle's.

    Raises:
        InputError: a file that the user names cannot be used.
    """
    recipe, problems = _recipe(bundle)
    vectors, lost = _vectors(recipe.get("embeddings"), embeddings)
    problems += lost
    profile: Profile = "xvision" if recipe.get("profile") == "xvision" else "arpent"
    source = table or recipe.get("table")
    if source is None:
        return LearntFrom(None, vectors, tuple(problems), profile)
    try:
        rows = read_rows(source).to_pylist()
    except InputError as problem:
        if table is not None:
            raise
        return LearntFrom(None, vectors, (*problems, str(problem)), profile)
    shown = [row for row in rows if not _is_held_out(row, recipe.get("held_out") or {})]
    if not shown:
        raise DatasetError(
            f"the training table {source} has nothing that was not held out",
            found=f"{len(rows)} rows",
            cure="Give the table of measurements that the model was trained on (--training).",
        )
    facts = [measured_of(row) for row in shown]
    known = [vectors.get((row["parcel"], row["image"])) for row in shown]
    return LearntFrom(_training(facts, known), vectors, tuple(problems), profile)


def _recipe(bundle: Path | None) -> tuple[Mapping[str, Any], list[str]]:
    """The settings of the training, as the bundle keeps them."""
    if bundle is None:
        return {}, []
    try:
        folder = bundle.parent if bundle.name == FOLDER_HEADER else bundle
        settings = read_contract(folder).recipe.get("settings")
    except (InputError, ModelError) as problem:
        return {}, [str(problem)]
    return (settings, []) if isinstance(settings, Mapping) else ({}, [])


def _vectors(own: object, given: tuple[str, ...]) -> tuple[Vectors, list[str]]:
    known: Vectors = {}
    problems = []
    if isinstance(own, str) and own:
        try:
            known = read_vectors([own])
        except ArpentError as problem:
            problems.append(str(problem))
    return read_vectors(given, known), problems


def _is_held_out(row: Mapping[str, Any], held_out: Mapping[str, Any]) -> bool:
    day = row["taken"].isoformat() if row.get("taken") else ""
    return day in (held_out.get("dates") or ()) or (row.get("place") or "") in (held_out.get("places") or ())


def _training(facts: list[Measured], vectors: list[Any]) -> Training:
    """Training parcels with their embeddings; those without one are passed over where most have one."""
    there = [place for place, vector in enumerate(vectors) if vector is not None]
    if not there:
        return Training(facts)
    return Training(facts, np.stack([vectors[place] for place in there]), tuple(there))
