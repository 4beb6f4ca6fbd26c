"""The table of embeddings: one row for each parcel on each date, as GeoParquet, with the encoder that made it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arpent.core import Normalisation
from arpent.errors import FileMissing, UnreadableFile
from arpent.io.vectors import vector_field, vectors_in, width_in_table

__all__ = [
    "EMBEDDINGS",
    "RANDOM",
    "EncoderFacts",
    "embedding_schema",
    "encoder_of",
    "read_embeddings",
    "vectors_of",
    "visual_of",
]

EMBEDDINGS = "embeddings.parquet"
"""Name of the table in a run folder."""

RANDOM = "random:"
"""What the identity of an encoder with random weights begins with."""

_NEEDED = ("parcel", "image", "taken", "embedding")


@dataclass(frozen=True)
class EncoderFacts:
    """What a table says of the encoder that made it.

    Attributes:
        identity: SHA-256 of its bundle or file, or a word that begins with "random:".
        name: for people.
        statistics: how pixels became its input; None where the table does not say.
        pooling: how tokens became an embedding: "mean" of those of a parcel, or "gap" for the head of whole images.
        drawn: what tells whether another machine draws the same random weights; empty for trained ones.
    """

    identity: str
    name: str
    statistics: Normalisation | None
    pooling: str
    drawn: str = ""

    @property
    def random(self) -> bool:
        """Whether its weights were never trained."""
        return self.identity.startswith(RANDOM)

    def metadata(self) -> dict[bytes, bytes]:
        """As the schema of a table keeps it."""
        kept = {
            "encoder": self.identity,
            "encoder-name": self.name,
            "statistics": "" if self.statistics is None else self.statistics.model_dump_json(),
            "pooling": self.pooling,
            "drawn": self.drawn,
        }
        return {f"arpent:{key}".encode(): value.encode() for key, value in kept.items()}


def embedding_schema(facts: EncoderFacts, width: int, cells: int) -> pa.Schema:
    """Columns of the embeddings of an encoder.

    Args:
        facts: of the encoder.
        width: of an embedding, and of a token.
        cells: visual tokens along each side of a parcel.
    """
    columns = [
        pa.field("parcel", pa.string(), nullable=False),
        pa.field("place", pa.string()),
        pa.field("image", pa.string()),
        pa.field("taken", pa.date32()),
        pa.field("valid", pa.float64()),
        vector_field("embedding", pa.float32(), width),
        vector_field("visual", pa.float16(), cells * cells * width),
        pa.field("geometry", pa.binary()),
    ]
    return pa.schema(columns, metadata=facts.metadata())


def read_embeddings(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """The table of a file, or of the run folder that holds it.

    Args:
        path: of the table or the folder.
        columns: to be read; all if not given.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: no table of embeddings.
    """
    file = Path(path)
    file = file / EMBEDDINGS if file.is_dir() else file
    if not file.is_file():
        raise FileMissing(f"there are no embeddings at {file}", cure="Make them with 'arpent describe embed IMAGES'.")
    try:
        schema = pq.read_schema(file)
        missing = [name for name in _NEEDED if name not in schema.names]
        if not missing:
            return pq.read_table(file, columns=columns)
    except (pa.ArrowInvalid, OSError) as problem:
        raise UnreadableFile(
            f"{file} is damaged, or no Parquet file",
            found=str(problem).splitlines()[0],
            cure="Make it again with 'arpent describe embed'.",
        ) from problem
    raise UnreadableFile(
        f"{file} is no table of embeddings: it has no column {', '.join(missing)}",
        found=", ".join(schema.names[:8]),
        cure="Make one with 'arpent describe embed IMAGES -o EMBEDDINGS'.",
    )


def encoder_of(schema: pa.Schema) -> EncoderFacts:
    """What a table says of its encoder; empty words where it says nothing."""
    kept = schema.metadata or {}
    said = {
        key: kept.get(f"arpent:{key}".encode(), b"").decode() for key in ("encoder", "encoder-name", "pooling", "drawn")
    }
    statistics = kept.get(b"arpent:statistics", b"").decode()
    rule = Normalisation.model_validate(json.loads(statistics)) if statistics else None
    return EncoderFacts(said["encoder"], said["encoder-name"], rule, said["pooling"], said["drawn"])


def vectors_of(table: pa.Table, source: str | Path = "the table") -> NDArray[np.float32]:
    """The embeddings of a table, ``(rows, width)``; not a number where a parcel has none.

    Args:
        table: of embeddings.
        source: where it was read, for messages.

    Raises:
        UnreadableFile: it has none.
    """
    return vectors_in(table["embedding"], _width(table, "embedding", source), np.float32, source)


def visual_of(table: pa.Table, source: str | Path = "the table") -> NDArray[np.float16]:
    """The visual tokens of a table, ``(rows, cells², width)``; NaN where a parcel has none; as `vectors_of`."""
    width, size = (_width(table, name, source) for name in ("embedding", "visual"))
    tokens = vectors_in(table["visual"], size, np.float16, source)
    return tokens[:, : size // width * width].reshape(len(table), size // width, width)


def _width(table: pa.Table, name: str, source: str | Path) -> int:
    width = width_in_table(table, name)
    if not width:
        raise UnreadableFile(
            f"{source} is no table of embeddings of parcels",
            found=f"{name}: {table.schema.field(name).type}" if name in table.schema.names else f"no column {name}",
            cure="Make one with 'arpent describe embed IMAGES -o EMBEDDINGS'.",
        )
    return width
