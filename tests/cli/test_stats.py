"""``arpent stats``: figures equal to numpy's, by domain, drawn, and good for a training."""

import json

import numpy as np
import pytest

from arpent.cli.app import main
from arpent.core import Grid, Strip
from arpent.data import read_measures, read_statistics
from arpent.errors import UnreadableFile
from arpent.io import CogWriter, RasterSpec


@pytest.fixture
def images(tmp_path):
    """Three images of two places, with holes, and their index; the valid pixels of all, ``(bands, n)``."""
    rng = np.random.default_rng(1)
    lines, kept = ["image,domain"], []
    for number, domain in enumerate(("north", "south", "north")):
        pixels = rng.integers(1, 2048, (2, 700, 40)).astype(np.uint16)
        pixels[:, :9] = 0
        grid = Grid.north_up(650_000 + 1000 * number, 6_860_000, 1.0, 700, 40, 2154)
        with CogWriter(tmp_path / f"{number}.tif", RasterSpec(grid, ("red", "nir"), "uint16", nodata=0)) as writer:
            writer.write(Strip(0, pixels))
        lines.append(f"{number}.tif,{domain}")
        kept.append(pixels[:, 9:].reshape(2, -1))
    (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
    return np.concatenate(kept, axis=1)


def test_the_figures_are_those_of_numpy(images, tmp_path, capsys):
    out = tmp_path / "stats.json"
    assert main(["stats", str(tmp_path / "index.csv"), "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == 3
    assert told["domains"] == ["north", "south"]
    for name, values in zip(("red", "nir"), images, strict=True):
        band = told["bands"][name]
        assert band["valid"] == values.size
        assert band["mean"] == pytest.approx(values.mean())
        assert band["std"] == pytest.approx(values.std())
        assert (band["low"], band["high"]) == (values.min(), values.max())
        assert band["percentiles"]["98"] == np.percentile(values, 98, method="inverted_cdf")
    assert (tmp_path / "stats.png").read_bytes().startswith(b"\x89PNG")


def test_domains_merge_to_the_whole(images, tmp_path):
    out = tmp_path / "stats.json"
    assert main(["stats", str(tmp_path / "index.csv"), "-o", str(out), "--no-picture", "--quiet"]) == 0
    measured = read_measures(out)
    from arpent.data import Statistics

    parts = [Statistics.from_record(record) for record in measured.domains.values()]
    assert parts[0].merge(parts[1]).to_record() == measured.all == read_statistics(out).to_record()
    assert not out.with_suffix(".png").exists()


def test_bands_are_chosen_by_name_and_told_in_french(images, tmp_path, capsys):
    out = tmp_path / "stats.json"
    words = ["stats", str(tmp_path / "0.tif"), str(tmp_path / "1.tif"), "-o", str(out), "--bands", "nir"]
    assert main([*words, "--language", "fr"]) == 0
    told = capsys.readouterr().out
    assert "écart type" in told
    assert "red" not in told
    assert read_statistics(out).bands == ("nir",)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": 1, "images": 1, "bands": {}, "all": 7}'])
def test_what_is_no_file_of_statistics_is_refused(tmp_path, content):
    (tmp_path / "stats.json").write_text(content)
    with pytest.raises(UnreadableFile, match="arpent stats"):
        read_statistics(tmp_path / "stats.json")


def test_a_damaged_histogram_is_refused(images, tmp_path):
    out = tmp_path / "stats.json"
    main(["stats", str(tmp_path / "0.tif"), "-o", str(out), "--no-picture", "--quiet"])
    document = json.loads(out.read_text())
    document["all"]["bands"][0]["bins"][-1] = 70_000
    out.write_text(json.dumps(document))
    with pytest.raises(UnreadableFile, match="histogram of band 'red' is damaged"):
        read_statistics(out)


def test_images_that_cannot_be_measured_together_leave_no_file(images, tmp_path, capsys):
    with CogWriter(tmp_path / "byte.tif", RasterSpec(Grid(9, 9), ("red", "nir"), "uint8")) as writer:
        writer.write(Strip(0, np.ones((2, 9, 9), np.uint8)))
    out = tmp_path / "stats.json"
    assert main(["stats", str(tmp_path / "0.tif"), str(tmp_path / "byte.tif"), "-o", str(out)]) == 2
    assert "different types" in capsys.readouterr().err
    assert not out.exists()
