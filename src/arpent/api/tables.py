"""Tables of a run, in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from arpent.errors import InvalidSetting, UnreadableFile
from arpent.store import Product, Run

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["table_of", "tabular"]

_ENDINGS = (".parquet", ".geoparquet", ".gpkg", ".csv")
"""Of files that are tables, the one that keeps most first."""


def tabular(run: Run) -> list[Product]:
    """The products that are tables or shapes."""
    found = [one for one in run.manifest.products if Path(one.file).suffix in _ENDINGS]
    return sorted(found, key=lambda one: _ENDINGS.index(Path(one.file).suffix))


def table_of(run: Run, product: Product) -> pa.Table:
    """A table; geometries are WKB in the column ``geometry``, and what the file says of them in the schema's metadata.

    Raises:
        InvalidSetting: the product is no table.
        UnreadableFile: it is damaged.
    """
    import pyarrow as pa

    file = run.locate(product)
    if file.suffix not in _ENDINGS:
        raise InvalidSetting(
            f"'{product.name}' is no table",
            found=f"a {product.kind}",
            expected=", ".join(one.name for one in tabular(run)) or "a run with tables",
            cure="Name a table, or look at it with plot().",
        )
    try:
        if file.suffix == ".csv":
            from pyarrow import csv

            return csv.read_csv(file)
        if file.suffix == ".gpkg":
            return _shapes(file)
        from pyarrow import parquet

        return parquet.read_table(file)
    except (pa.ArrowException, OSError) as problem:
        raise UnreadableFile(
            f"{file} cannot be read as a table",
            found=str(problem).partition("\n")[0],
            cure="Restore it from a copy, or make the run again.",
        ) from problem


def _shapes(file: Path) -> pa.Table:
    """The first layer of a GeoPackage."""
    from pyogrio.errors import DataLayerError, DataSourceError
    from pyogrio.raw import read_arrow

    try:
        facts, table = read_arrow(file)
    except (DataSourceError, DataLayerError) as problem:
        raise UnreadableFile(
            f"{file} cannot be read as shapes", found=problem, cure="Restore it from a copy, or make the run again."
        ) from problem
    column = facts["geometry_name"] or "wkb_geometry"
    names = ["geometry" if name == column else name for name in table.column_names]
    return table.rename_columns(names).replace_schema_metadata({"crs": str(facts["crs"] or "")})
