"""What a published raster says of itself."""

from pathlib import Path

import numpy as np
import pytest

from arpent.core import Grid, Strip, nomenclature
from arpent.errors import UnreadableFile
from arpent.io import CogWriter, RasterSpec, quicklook, recorded_shares

CLASSES = nomenclature("commune")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A map of 3 000 × 3 000 pixels, of stripes that overviews by the most frequent class cannot show."""
    ids = np.full((1, 3000, 3000), 5, np.uint8)
    ids[:, :, ::3] = 9
    ids[:, :300] = 0
    spec = RasterSpec(
        Grid.north_up(650_000, 6_860_000, 1, 3000, 3000, 2154),
        ("class",),
        "uint8",
        0,
        classes=CLASSES,
        overviews="mode",
    )
    with CogWriter(tmp_path / "map.tif", spec) as writer:
        writer.write(Strip(0, ids))
    return tmp_path / "map.tif"


def test_shares_are_those_of_all_pixels(written: Path) -> None:
    assert recorded_shares(written) == pytest.approx({5: 2 / 3, 9: 1 / 3})
    small = quicklook(written, 1000, classes=True)
    thinned = (small.pixels[0] == 9).sum() / small.valid.sum()
    assert abs(thinned - 1 / 3) > 0.01  # why they are not counted in the picture


def test_without_counts_nothing_is_said(written: Path, tmp_path: Path) -> None:
    beside = tmp_path / "map.tif.aux.xml"
    beside.write_text(beside.read_text().replace("Count", "Number"))
    assert recorded_shares(written) == {}
    beside.write_text("<PAMDataset/>")
    assert recorded_shares(written) == {}
    beside.unlink()
    assert recorded_shares(written) == {}


@pytest.mark.parametrize("change", [lambda t: t[:-9], lambda t: t.replace("<F>5</F>", "<F>five</F>")])
def test_a_damaged_sidecar_is_one_line(written: Path, tmp_path: Path, change) -> None:
    beside = tmp_path / "map.tif.aux.xml"
    beside.write_text(change(beside.read_text()))
    with pytest.raises(UnreadableFile, match=r"map\.tif\.aux\.xml cannot be read"):
        recorded_shares(written)
