"""What users can set when embeddings are made and put to use. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language, Settings

__all__ = ["ClusterSettings", "ProbeSettings"]


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
