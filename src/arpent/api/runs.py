"""What every function of the API gives back: a finished run, and the ways to look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from arpent.core import Language
from arpent.errors import InvalidSetting, UnknownName
from arpent.language import language_named
from arpent.store import Manifest, Product
from arpent.store import Run as StoredRun
from arpent.store import open_run as open_stored

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure
    from xarray import DataArray

    from arpent.api.texts import Said

__all__ = ["Products", "Run", "open_run"]

Made = TypeVar("Made", covariant=True)  # noqa: PLC0105 - the attribute of that name


class Products(Mapping[str, Path]):
    """The files that a run was made for, by the names of products; a file is looked for when it is asked for."""

    def __init__(self, run: StoredRun) -> None:
        self._run = run
        self._records = {one.name: one for one in run.manifest.products}

    def __getitem__(self, name: str) -> Path:
        return self._run.locate(self.record(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, name: object) -> bool:
        return name in self._records

    def __repr__(self) -> str:
        return f"<Products: {', '.join(self._records) or 'none'}>"

    def record(self, name: str) -> Product:
        """What the manifest says of a product.

        Raises:
            UnknownName: there is none of that name; the error lists those that there are.
        """
        if name not in self._records:
            raise UnknownName.among(name, self._records, "product of this run")
        return self._records[name]


@dataclass(frozen=True, eq=False, repr=False)
class Run(Generic[Made]):
    """A finished run.

    Attributes:
        stored: the run folder as the store knows it, with its manifest.
        made: what the function that made it has to say beside the folder (areas by class, labels of the first pictures
            …); None for a run that was opened.
    """

    stored: StoredRun
    made: Made

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.stored.path

    @property
    def manifest(self) -> Manifest:
        """All that the folder says of itself: inputs, settings, versions, timings."""
        return self.stored.manifest

    @property
    def products(self) -> Products:
        """The files that the run was made for, by name: ``run.products["classes"]``."""
        return Products(self.stored)

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """What was measured, by name."""
        return self.manifest.metrics

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the result doubtful."""
        return self.manifest.warnings

    @property
    def language(self) -> Language:
        """The language that the run was made in."""
        return self.stored.manifest.language

    def plot(self, product: str | None = None, *, language: str | None = None) -> Figure:
        """A figure with title, legend, scale and north, which a notebook shows by itself.

        Args:
            product: a map, a timeline, or a picture of the run; what tells most of it, if not given.
            language: of title and legend: "en" or "fr"; that of the run if not given.

        Raises:
            UnknownName: the run has no such product.
            InvalidSetting: it can be neither drawn nor shown.
        """
        from arpent.api.drawing import figure_of, main_product

        chosen = main_product(self.stored) if product is None else self.products.record(product)
        return figure_of(self.stored, chosen, self._language(language))

    def to_xarray(
        self, product: str | None = None, *, largest: int | None = None, language: str | None = None
    ) -> DataArray:
        """A map as an array of xarray: ``(y, x)``, with bands ``(band, y, x)``, with dates ``(time, y, x)``.

        Coordinates are the middles of pixels, ``spatial_ref`` holds the reference system (rioxarray finds it there),
        and the attributes say what the numbers mean: ``flag_values`` and ``flag_meanings`` as CF has them,
        ``categories`` (between semicolons), ``colours``, ``_FillValue``. Numbers with decimals are NaN where nothing is
        known.

        Args:
            product: a map or a timeline; what tells most of the run, if not given.
            largest: pixels of the longer side, for a look at a map larger than memory; all pixels if not given.
            language: of the names of classes: "en" or "fr"; that of the run if not given.

        Raises:
            ExtraMissing: xarray is not installed: ``pip install 'arpent[xarray]'``.
            UnknownName: the run has no such product.
            InvalidSetting: it is no map, or the run has none.
        """
        from arpent.api.arrays import array_of, mapped
        from arpent.api.drawing import drawable

        maps = {one.name for one in mapped(self.stored)}
        if product is None and not maps:
            raise self._none("map", "Look at it with plot(), or read its tables with to_table().")
        first = next((one for one in drawable(self.stored) if one.name in maps), None)
        chosen = first if product is None and first is not None else self.products.record(str(product))
        return array_of(self.stored, chosen, self._language(language), largest)

    def to_table(self, product: str | None = None) -> pa.Table:
        """A table or the shapes of the run, as a table of pyarrow; ``.to_pandas()`` makes it one of pandas.

        Geometries are WKB in the column ``geometry``.

        Args:
            product: a table or shapes; the first of the run if not given.

        Raises:
            UnknownName: the run has no such product.
            InvalidSetting: it is no table, or the run has none.
        """
        from arpent.api.tables import table_of, tabular

        found = tabular(self.stored)
        if product is None and not found:
            raise self._none("table", "Look at it with plot(), or at its maps with to_xarray().")
        return table_of(self.stored, found[0] if product is None else self.products.record(product))

    def texts(self, language: str | None = None) -> list[Said]:
        """What the run says of its parcels, one text for each parcel and date.

        Args:
            language: "en" or "fr"; that of the run if not given.

        Raises:
            InvalidSetting: it describes nothing, or not in this language.
        """
        from arpent.api.texts import texts_of

        return texts_of(self.stored, self._language(language))

    def _language(self, asked: str | None) -> Language:
        return self.language if asked is None else language_named(asked)

    def _none(self, kind: str, cure: str) -> InvalidSetting:
        return InvalidSetting(
            f"the run {self.stored.place} holds no {kind}",
            found=", ".join(self.products) or "no product",
            cure=cure,
        )

    def __repr__(self) -> str:
        from arpent.api.telling import plainly

        return plainly(self.stored)

    def _repr_html_(self) -> str:
        from arpent.api.telling import html

        return html(self.stored)


def open_run(folder: str | Path) -> Run[None]:
    """The finished run in a folder, or at an address in an object store: ``ap.open_run("runs/map").plot()``.

    Args:
        folder: that holds a ``manifest.json``.

    Raises:
        FileMissing: there is no run, or only an unfinished one, with what to do about it.
        RunDamaged: its manifest cannot be used.
    """
    return Run(open_stored(folder), None)
