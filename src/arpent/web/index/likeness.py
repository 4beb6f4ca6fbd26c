"""Parcels like this one: embeddings on their way into the index, and features found by them."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from arpent.errors import UnknownName
from arpent.web.index.features import Found
from arpent.web.index.models import Feature, Layer, Matrix, Vector
from arpent.web.index.shapes import ShapeTable
from arpent.web.index.vectors import (
    VECTORS,
    VectorFile,
    VectorWriter,
    keys_of,
    likeness_to,
    parcel_key,
    vector_of,
)

__all__ = ["Embeddings", "best_of", "features_like", "vectors_are_there"]


class Embeddings:
    """Takes the embeddings of a layer's file, table by table, in the transaction under way; nothing where it has none.

    Args:
        layer: that the features belong to.
        content: tells the file from others; what is written depends on it alone.
    """

    def __init__(self, layer: Layer, content: str) -> None:
        self._layer, self._content = layer, content
        self._writer: VectorWriter | None = None
        self._matrix: Matrix | None = None
        self._rows = 0

    def add(self, table: ShapeTable) -> None:
        """Takes the embeddings of the features that the layer was given last."""
        if table.vectors is None:
            return
        if self._writer is None or self._matrix is None:
            name, width = f"{self._content[:32]}.f32", table.vectors.shape[1]
            self._writer = VectorWriter(Path(settings.DATA_PATH) / VECTORS / name, width)
            self._matrix = Matrix.objects.create(
                layer=self._layer, encoder=table.encoder, file=name, rows=0, width=width, digest=""
            )
        last = Feature.objects.filter(layer=self._layer).order_by("-id").values_list("id", flat=True)[: len(table)]
        features = np.array(last, np.int64)[::-1]
        usable = np.flatnonzero(np.isfinite(table.vectors).all(axis=1))
        rows = range(self._rows, self._rows + len(usable))
        self._writer.add(table.vectors[usable], self._keys(table, usable))
        Vector.objects.bulk_create(
            Vector(feature_id=number, matrix=self._matrix, row=row)
            for number, row in zip(features[usable].tolist(), rows, strict=True)
        )
        self._rows += len(usable)

    def _keys(self, table: ShapeTable, usable: NDArray[np.intp]) -> NDArray[np.int64]:
        parcels, places = ([_text(one) for one in table.columns.get(name, ())] for name in ("parcel", "place"))
        keys = np.empty(len(usable), np.int64)
        for position, row in enumerate(usable.tolist()):
            if parcels and parcels[row]:
                keys[position] = parcel_key(parcels[row], places[row] if places else "")
            else:  # it is a parcel by itself
                keys[position] = parcel_key(self._content, str(self._rows + position))
        return keys

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None or self._matrix is None:
            return
        with self._writer as writer:
            if error is None:
                done = writer.close()
                self._matrix.rows, self._matrix.digest = done.rows, done.digest
                self._matrix.save()


def _text(value: object) -> str:
    return "" if value is None else str(value)


def vectors_are_there(layers: object) -> bool:
    """Whether the files of the vectors of some layers are where they should be."""
    return all(_file_of(one).path.is_file() for one in Matrix.objects.filter(layer__in=layers))


def features_like(feature: Feature, limit: int) -> list[Found]:
    """Features that an encoder has seen like this one, the most alike first; each parcel once.

    A parcel whose own table has no embedding is looked up in the others, by name, place, image and day.

    Raises:
        UnknownName: nothing was embedded of it.
        FileMissing, UnreadableFile: vectors are not where they were written, or not as they were.
    """
    own = _vector_of(feature)
    alike = Matrix.objects.filter(encoder=own.matrix.encoder, width=own.matrix.width).order_by("id")
    matrices = list(alike)
    files = [_file_of(one) for one in matrices]
    model = vector_of(_file_of(own.matrix), own.row)
    scores = np.concatenate([likeness_to(file, model) for file in files])
    keys = np.concatenate([keys_of(file) for file in files])
    starts = np.cumsum([0, *(file.rows for file in files)])
    here = starts[[one.id for one in matrices].index(own.matrix_id)] + own.row
    places = best_of(scores, keys, int(keys[here]), limit)
    of = np.searchsorted(starts, places, side="right") - 1
    found: dict[int, Feature] = {}
    for number in np.unique(of).tolist():
        rows = (places[of == number] - starts[number]).tolist()
        known = Vector.objects.filter(matrix=matrices[number], row__in=rows).select_related("feature__layer")
        found |= {int(starts[number]) + one.row: one.feature for one in known}
    return [
        Found(found[place], round(score, 4))
        for place, score in zip(places.tolist(), scores[places].tolist(), strict=True)
    ]


def _file_of(matrix: Matrix) -> VectorFile:
    return VectorFile(Path(settings.DATA_PATH) / VECTORS / matrix.file, matrix.rows, matrix.width, matrix.digest)


def _vector_of(feature: Feature) -> Vector:
    every = Vector.objects.select_related("matrix")
    own: Vector | None = every.filter(feature=feature).first()
    if own is None and feature.parcel:
        same = every.filter(feature__parcel=feature.parcel, feature__place=feature.place)
        own = same.filter(feature__image=feature.image, feature__taken=feature.taken).first() or same.first()
    if own is None:
        raise UnknownName(
            f"nothing was embedded of feature {feature.id}",
            cure="Make embeddings with 'arpent describe embed', and register that run.",
        )
    return own


def best_of(scores: NDArray[np.float32], keys: NDArray[np.int64], but: int, limit: int) -> NDArray[np.intp]:
    """Places of the highest scores, one for each key, the highest first, and of equal ones the first.

    Args:
        scores: ``(n,)``.
        keys: ``(n,)``.
        but: a key that is not wanted.
        limit: how many at most.
    """
    count = 4 * limit
    while True:
        top = _top(scores, count)
        _, first = np.unique(keys[top], return_index=True)
        each = top[np.sort(first)]
        places: NDArray[np.intp] = each[keys[each] != but]
        if len(places) >= limit or len(top) == len(scores):
            return places[:limit]
        count *= 8


def _top(scores: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Places of so many highest scores, the highest first, and of equal ones the first."""
    if count < len(scores):
        least = np.partition(scores, -count)[-count]
        above, at = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
        chosen = np.concatenate([above, at[: count - len(above)]])
    else:
        chosen = np.arange(len(scores))
    best: NDArray[np.intp] = chosen[np.lexsort((chosen, -scores[chosen]))]
    return best
