"""What users can set when embeddings are made and put to use. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language, Settings
from arpent.engine import PredictSettings
from arpent.tasks.change.settings import ChangeSettings, MissingQuality, Profile, Qualities, TableForm, Wanted

__all__ = ["ClusterSettings", "EmbedSettings", "ProbeSettings"]


class EmbedSettings(PredictSettings):
    """How an image is embedded, and what is kept of it."""

    profile: Profile = "arpent"
    """Rules of tiling and of tables: arpent, or planaura for those of the reference."""
    tile: Annotated[int, Field(ge=0)] = 0
    """Side in pixels of the tiles that the network sees; 0 for the side that the model was trained on."""
    stride: Annotated[int, Field(ge=0)] = 0
    """Pixels between embeddings: the side of the model's patch (also as 0), or a whole fraction of it, down to 1."""
    attention: bool = True
    """Let the patches of a tile attend to one another; without it, they are kept as embedded."""
    dims: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Dimensions of the embeddings to keep; all if not given."""
    table: TableForm = "geoparquet"
    """Table with one row per patch: geoparquet, csv or none."""
    table_pixels: bool = False
    """One row per pixel in the table, with what lies between the patches; without it, one row per patch."""
    table_type: Literal["float16", "float32"] = "float16"
    """Type of the numbers in the table."""
    image: bool = True
    """Also write an image with one band per dimension."""
    upsample: bool = False
    """Bring that image to the pixels of the one embedded; without it, it has one pixel per patch."""
    compression: Literal["deflate", "zstd"] = "deflate"
    """Compression of that image: deflate, which everything reads, or zstd, which is written faster."""
    quality: Wanted = "auto"
    """Also write the quality of the image: yes, no, or auto for wherever a quality layer is found."""
    missing_quality: MissingQuality = "error"
    """What an image without a quality layer means where one is wanted: error, or clear everywhere."""
    exclude: Qualities = ()
    """Qualities that are not embedded, such as cloud,shadow,snow: patches that touch them are left out."""
    box: tuple[float, float, float, float] | None = None
    """Only this part: left, bottom, right, top."""
    box_crs: str | None = None
    """Reference system of the box; that of the image if not given."""
    sensor: str | None = None
    """Whose image it is, where neither the file nor its name says so."""
    language: Language = "en"
    """Language of titles and pictures: en or fr."""

    def comparing(self) -> ChangeSettings:
        """The same wishes, as those of a comparison with a single date."""
        given = self.model_dump(exclude={"image"})
        return ChangeSettings(**given, features=self.image, dates="no")


class ClusterSettings(Settings):
    """How embeddings are clustered."""

    clusters: Annotated[int, Field(ge=1, le=254)] = 12
    """How many clusters to look for."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the sample and of the starting centres."""
    scaling: Literal["unit", "standard", "none"] = "unit"
    """Before distances are taken: unit length (so that angles count), standard deviation 1 per dimension, or none."""
    sample: Annotated[int, Field(ge=10)] = 20_000
    """Embeddings on which the start is found."""
    passes: Annotated[int, Field(ge=1)] = 10
    """Passes over all embeddings, at most."""
    curve: bool = True
    """Also draw how inertia and silhouette of the sample depend on the number of clusters."""
    table: bool = True
    """Also write the cluster of each embedding as GeoParquet."""
    language: Language = "en"
    """Language of titles and legends: en or fr."""


class ProbeSettings(Settings):
    """How a linear probe is trained and scored."""

    column: str = "class"
    """Column of the points that names their class."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Parts of the ground; each is held out once."""
    block: Annotated[float, Field(ge=0)] = 0.0
    """Side in metres of the square blocks of ground that stay together; 0 for an eighth of the labelled ground."""
    buffer: Annotated[float, Field(ge=0)] | None = None
    """Metres around held-out blocks from which nothing is learnt; two cells if not given."""
    sample: Annotated[int, Field(ge=20)] = 10_000
    """Labelled cells used at most."""
    pure: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of a cell that must carry one class of a mask for the cell to count."""
    unlabelled: int | None = 0
    """Number of a mask that means "not known", besides its no-data; none if all numbers are classes."""
    date: int = -1
    """Which date of a run that holds several: 0 for the first, -1 for the last."""
    penalties: tuple[Annotated[float, Field(gt=0)], ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    """Weights of the squared coefficients to choose from."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the blocks' assignment and of the sample."""
    draws: Annotated[int, Field(ge=100)] = 1_000
    """Draws of blocks behind each interval."""
    language: Language = "en"
    """Language of titles and legends: en or fr."""
