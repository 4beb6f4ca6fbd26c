"""Features of pictures, made once by an encoder that does not learn, and kept for all trainings that build on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from arpent.core import Progress, Silent, write_file, writing
from arpent.engine import choose_device
from arpent.errors import UnreadableFile
from arpent.io import read_ahead
from arpent.tasks.classify.dataset import Picture
from arpent.tasks.classify.pixels import Squares

__all__ = ["Features", "Looks", "features_of"]

F32 = NDArray[np.float32]

_BATCH = 8
_FEWEST = 4
"""Places of features along a side, below which corners are not worth looking at."""
_KEPT_EVERY = 512
"""Pictures between two times that features are written down; of very many, which take long to write, more."""


@dataclass(frozen=True)
class Looks:
    """How features are made.

    Attributes:
        encoder: in evaluation mode.
        squares: how pictures are read for it.
        parts: whether the corners of each are looked at too, each three quarters as wide and as high, where features
            have their places in the picture.
        device: where the encoder runs.
        workers: threads that read ahead.
    """

    encoder: nn.Module
    squares: Squares
    parts: bool = False
    device: str = "auto"
    workers: int = 2

    def key(self) -> str:
        """Names the encoder, its weights, and how pictures are shown to it."""
        total = hashlib.sha256(f"{self.squares!r}|{self.parts}".encode())
        for name, tensor in sorted(self.encoder.state_dict().items()):
            total.update(f"{name}|{tuple(tensor.shape)}|".encode())
            total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        total.update(
            str([(one.stride, one.padding) for one in self.encoder.modules() if isinstance(one, nn.Conv2d)]).encode()
        )
        total.update(type(self.encoder).__name__.encode())
        return total.hexdigest()[:16]


@dataclass(frozen=True)
class Features:
    """Features of pictures, by their content.

    Attributes:
        values: of each picture ``(views, width)``, by its SHA-256; the first view is the picture as it is.
    """

    values: Mapping[str, F32]

    def of(self, pictures: Sequence[Picture], views: Sequence[int] | NDArray[np.int64] | None = None) -> Tensor:
        """``(N, width)`` of some pictures; each in the view of that number, the picture as it is if not given."""
        chosen = [0] * len(pictures) if views is None else views
        found = [self.values[one.sha256][view] for one, view in zip(pictures, chosen, strict=True)]
        return torch.from_numpy(np.stack(found))

    @property
    def views(self) -> int:
        """How many there are of each picture."""
        return len(next(iter(self.values.values())))


def features_of(
    pictures: Sequence[Picture], looks: Looks, folder: Path, *, progress: Progress | None = None
) -> Features:
    """Features of pictures: those that `folder` holds, and new ones, which it holds afterwards.

    Raises:
        UnreadableFile: a picture, or the file of features.
        NotWritable, DiskFull: the folder.
    """
    file = folder / f"{looks.key()}.parquet"
    found = _kept(file)
    asked = {one.sha256: one for one in pictures}
    missing = [one for sha256, one in asked.items() if sha256 not in found]
    bar = (progress or Silent()).bar("features", len(asked), "pictures")
    with bar as shown:
        shown.advance(len(asked) - len(missing))
        since = 0
        for picture, values in _made(missing, looks):
            found[picture.sha256] = values
            since += 1
            shown.advance()
            if since >= max(_KEPT_EVERY, len(found) // 4):
                _keep(file, found)
                since = 0
        if since:
            _keep(file, found)
    return Features({sha256: found[sha256] for sha256 in asked})


def _made(pictures: Sequence[Picture], looks: Looks) -> Iterator[tuple[Picture, F32]]:
    """Each picture with its features ``(views, width)``."""
    device = choose_device(looks.device)
    encoder = looks.encoder.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    read = read_ahead(looks.squares.read, [one.path for one in pictures], threads=looks.workers, ahead=2 * _BATCH)
    try:
        with torch.inference_mode():
            for first in range(0, len(pictures), _BATCH):
                group = pictures[first : first + _BATCH]
                seen = torch.from_numpy(np.stack([next(read) for _ in group])).to(device)
                images = seen.contiguous(memory_format=torch.channels_last)
                views = _parts(encoder, images) if looks.parts else [encoder(images)]
                values = torch.stack(views, dim=1).float().cpu().numpy()
                yield from zip(group, values, strict=True)
    finally:
        read.close()
        looks.encoder.to("cpu")


def _parts(encoder: Any, images: Tensor) -> list[Tensor]:  # noqa: ANN401 - timm's networks have methods of their own
    """Features of whole images and of their four corners, in one look; of the whole where they have no places."""
    maps = encoder.forward_features(images)
    views = [encoder.forward_head(maps, pre_logits=True)]
    if maps.ndim == 4 and maps.shape[1] == encoder.num_features and min(maps.shape[2:]) >= _FEWEST:
        height, width = (-(-3 * side // 4) for side in maps.shape[2:])
        corners = product((slice(None, height), slice(-height, None)), (slice(None, width), slice(-width, None)))
        views += [encoder.forward_head(maps[:, :, rows, columns], pre_logits=True) for rows, columns in corners]
    return views


def _kept(file: Path) -> dict[str, F32]:
    if not file.exists():
        return {}
    try:
        table = pq.read_table(file)
        names = table["picture"].to_pylist()
        flat = table["features"].combine_chunks().flatten().to_numpy()
        views = int(table.schema.metadata[b"views"])
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as problem:
        raise UnreadableFile(
            f"{file} cannot be read", found=problem, cure="Delete it: features are made again."
        ) from problem
    return dict(zip(names, flat.reshape(len(names), views, -1), strict=True))


def _keep(file: Path, values: Mapping[str, F32]) -> None:
    views, width = next(iter(values.values())).shape
    flat = pa.array(np.concatenate([own.reshape(-1) for own in values.values()]), pa.float32())
    table = pa.table({"picture": list(values), "features": pa.FixedSizeListArray.from_arrays(flat, views * width)})
    table = table.replace_schema_metadata({"views": str(views)})
    content = BytesIO()
    pq.write_table(table, content, compression="zstd")
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, content.getvalue())
