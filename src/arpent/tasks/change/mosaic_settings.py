"""What users can set when many pairs become one map. Opens without torch."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from arpent.core import Language, Settings
from arpent.tasks.change.settings import MissingQuality, Profile, Qualities

__all__ = ["MosaicSettings"]


def _plain(word: str) -> str:
    if re.search(r"[/\\:\x00-\x1f\x7f]", word):
        raise ValueError("a word that files can have in their names: without / \\ : and control characters")
    return word


class MosaicSettings(Settings):
    """How many pairs become one map."""

    profile: Profile = "arpent"
    """Rules of grid and choice: arpent, or planaura for the numbers of the reference."""
    crs: str | None = None
    """Reference system of the mosaic, such as EPSG:3979; that of the pairs where they share one."""
    resolution: Annotated[float, Field(gt=0)] | None = None
    """Side of a pixel in units of the reference system; that of the pairs where they share one."""
    reference: str | None = None
    """Layer that chooses the pair for each pixel; cosine_map where there is one."""
    ignore: tuple[str, ...] = ()
    """Layers that are left out."""
    exclude: Qualities = ()
    """Qualities that are dropped before a pair is chosen, such as cloud,shadow,snow."""
    missing_quality: MissingQuality = "error"
    """What a pair without a quality layer means where qualities are dropped: error, or clear everywhere."""
    threshold: Annotated[float, Field(ge=-1, le=1)] | None = None
    """Cosine below which a pair says that the ground has changed; if not given, that with which all pairs were
    compared, else 0.75."""
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    """Probability from which on the ground counts as changed; if not given, that with which all pairs were compared,
    else 0.5."""
    postfix: Annotated[str, Field(max_length=80), AfterValidator(_plain)] = ""
    """Word in the names of the files, for people."""
    inputs: tuple[str, ...] = ()
    """Folders of the images that were compared, where no run folder names them."""
    date_regex: str | None = None
    """Pattern whose first group is the date in an image's name, as YYYYDDD or YYYYMMDD; the ways of HLS and
    Sentinel-2, and 2024-03-01, if not given."""
    read_threads: Annotated[int, Field(ge=1)] = 2
    """Threads that read and choose."""
    open_files: Annotated[int, Field(ge=1)] = 128
    """Most files that are kept open."""
    compression: Literal["deflate", "zstd"] = "deflate"
    """Compression of the products: deflate, which everything reads, or zstd, which is faster."""
    delete_residues: bool = False
    """Remove the rasters of the pairs once the mosaic is finished; tables are kept."""
    language: Language = "en"
    """Language of titles and pictures: en or fr."""
