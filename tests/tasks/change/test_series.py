"""The strongest lasting change of a series, on a synthetic commune whose events have known days."""

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest
import torch

from arpent import __version__
from arpent.core import Contract, Grid, Normalisation, Strip, sensor
from arpent.errors import Interrupted, InvalidSetting, NoOverlap, NoValidPixels
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.models import PlanauraSettings, build, load_bundle, save_bundle
from arpent.store import Place
from arpent.tasks.change import series_reading
from arpent.tasks.change.frames import Frame
from arpent.tasks.change.series import series_run
from arpent.tasks.change.series_reading import SeriesImage, features_of
from arpent.tasks.change.series_settings import SeriesSettings
from arpent.testing.sky import Sky
from arpent.testing.worlds import Commune

NAME = "hls-s30"
DAYS = [dt.date(2021, 5, 20), dt.date(2021, 8, 10), dt.date(2022, 3, 5)]
DAYS += [dt.date(2022, 9, 10), dt.date(2023, 5, 20), dt.date(2023, 8, 10)]
WET = DAYS[3]
PLAIN = SeriesSettings(device="cpu", runtime="torch")


def number(day):
    return int(f"{day:%Y%j}")


def write(path, pixels, names, nodata, grid):
    with CogWriter(path, RasterSpec(grid, names, str(pixels.dtype), nodata, overviews="nearest")) as writer:
        writer.write(Strip(0, pixels))
    return path


def bundle_for(bands, path, patch=4, pixels=None):
    settings = PlanauraSettings(
        channels=len(bands),
        frames=2,
        image_size=64,
        patch=patch,
        width=48,
        depth=1,
        heads=2,
        decoder_width=16,
        decoder_depth=1,
        decoder_heads=1,
    )
    flat = np.zeros((len(bands), 1)) if pixels is None else pixels.reshape(len(bands), -1)
    spread = np.ones(len(bands)) if pixels is None else flat.std(axis=1)
    contract = Contract(
        task="change",
        architecture="planaura",
        settings=settings.model_dump(mode="json"),
        bands=bands,
        normalisation=Normalisation(
            origin="test", mean=tuple(map(float, flat.mean(axis=1))), std=tuple(map(float, spread))
        ),
        nodata=-9999,
        arpent=__version__,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return load_bundle(save_bundle(path, build("planaura", settings), contract))


@pytest.fixture(scope="module")
def commune(tmp_path_factory):
    """Six dates of a commune under a quarter of cloud, the river out of its banks at one of them; and the truth."""
    folder = tmp_path_factory.mktemp("series")
    landscape = Commune(seed=3, levels=lambda day: 4.0 if day == WET else 0.0)
    grid = landscape.grid(NAME, size=144)
    bands = sensor(NAME).bands
    names = tuple(band.name for band in bands)
    frames, pixels = [], []
    for day in DAYS:
        sky = Sky(0.25, 0.1)
        pixels.append(landscape.view(NAME, grid, date=day, sky=sky).pixels)
        image = write(folder / f"scene_{number(day)}.tif", pixels[-1], names, sensor(NAME).nodata, grid)
        codes = landscape.quality(NAME, grid, date=day, sky=sky)
        write(folder / f"fmask_{image.name}", codes[None], ("Fmask",), None, grid)
        frames.append(Frame(str(image), number(day)))
    steady = Commune(seed=3)
    truth = np.zeros(grid.shape, np.int32)
    for before, after in pairwise(DAYS):
        kinds = steady.changes(grid, before, after)
        truth[np.isin(kinds, (1, 2, 4)) & (truth == 0)] = number(after)
    flooded = (landscape.changes(grid, DAYS[2], WET) == 3) & (truth == 0)
    bundle = bundle_for(bands, folder / "model.safetensors", pixels=np.concatenate(pixels[:2], axis=1))
    return frames, bundle, truth, flooded, folder


def maps_of(run):
    found = {}
    for name in ("strength", "date", "before", "confidence"):
        with open_image(run.path / f"series_{name}.tif") as image:
            found[name] = image.read(image.grid.window)
    return found


@pytest.fixture(scope="module")
def made(commune):
    frames, bundle, _, _, folder = commune
    return series_run([frames[2], *frames[:2], *frames[3:]], bundle, Place(exact=folder / "run"), PLAIN)


def test_lasting_events_stand_out_and_a_flood_that_passes_does_not(commune, made):
    _, _, truth, flooded, _ = commune
    found = maps_of(made.run)
    strength, known = found["strength"].pixels[0], found["strength"].valid
    assert known.mean() > 0.9
    lasting, calm = known & (truth > 0), known & (truth == 0) & ~flooded
    assert lasting.sum() > 200
    assert (flooded & known).sum() > 200
    middle = {name: np.median(strength[where]) for name, where in (("l", lasting), ("c", calm), ("f", flooded & known))}
    assert middle["l"] > 4 * middle["c"]
    assert middle["f"] < 2 * middle["c"]
    ranks = np.sort(strength[calm])
    assert (np.searchsorted(ranks, strength[lasting]) / ranks.size).mean() > 0.8  # area under the ROC curve


def test_the_dates_are_those_of_the_images_around_the_event(commune, made):
    frames, _, truth, _, _ = commune
    found = maps_of(made.run)
    strength, after, before = (found[name].pixels[0] for name in ("strength", "date", "before"))
    days = [frame.date for frame in frames]
    clear = np.zeros(truth.shape, bool)
    for frame in frames:
        with open_image(frame.image.replace("scene_", "fmask_scene_")) as layer:
            codes = layer.read(layer.grid.window).pixels[0]
        clear |= (truth == frame.date) & (codes & 0b11010 == 0)
    sure = found["strength"].valid & clear & (strength > np.percentile(strength[truth == 0], 95))
    assert sure.sum() > 50
    assert (after[sure] == truth[sure]).mean() > 0.6
    known = found["date"].valid
    assert set(np.unique(after[known])) <= set(days)
    assert (before[known] < after[known]).all()
    assert found["date"].pixels.dtype == np.int32
    assert set(after[~known].tolist()) <= {-100}
    assert ((found["confidence"].pixels[0][known] >= 0) & (found["confidence"].pixels[0][known] <= 1)).all()


def test_the_run_says_what_changed_when(commune, made):
    frames, *_ = commune
    manifest = made.run.manifest
    assert manifest.metrics["dates"] == 6
    assert set(made.changed) <= {frame.date for frame in frames[1:]}
    found = maps_of(made.run)
    changed = found["strength"].valid & (found["strength"].pixels[0] >= PLAIN.threshold)
    assert sum(made.changed.values()) == pytest.approx(900 * changed.sum(), rel=2e-3)
    assert {record.role for record in manifest.inputs} == {f"date {frame.date}" for frame in frames}
    assert (made.run.path / "preview.png").exists()


class StopAt:
    """Progress that stops the run after some tiles, as Ctrl-C would."""

    def __init__(self, tiles):
        self.left = tiles

    def bar(self, title, total=None, unit=""):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def note(self, text):
        """Nobody listens."""

    def advance(self, amount=1):
        self.left -= amount
        if self.left < 0:
            raise KeyboardInterrupt


def test_a_series_that_is_stopped_goes_on_to_the_same_bytes(commune, made):
    frames, bundle, _, _, folder = commune
    place = folder / "stopped"
    with pytest.raises(Interrupted):
        series_run(frames, bundle, Place(exact=place), PLAIN, progress=StopAt(5))
    again = series_run(frames, bundle, Place(exact=place, resume=True), PLAIN)
    assert again.prediction.tiles < made.prediction.tiles
    for name in ("strength", "date"):
        assert (place / f"series_{name}.tif").read_bytes() == (made.run.path / f"series_{name}.tif").read_bytes()


def test_another_process_makes_the_same_maps(commune, made, elsewhere):
    frames, bundle, _, _, folder = commune
    with elsewhere():
        again = series_run(frames, bundle, Place(exact=folder / "elsewhere"), PLAIN)
    assert again.prediction.tiles == made.prediction.tiles
    for name in ("strength", "date"):
        assert (again.run.path / f"series_{name}.tif").read_bytes() == (
            made.run.path / f"series_{name}.tif"
        ).read_bytes()


def few(folder, count, side=16, steps=None):
    """Grey squares; brighter from `steps` on."""
    rng = np.random.default_rng(0)
    base = rng.integers(100, 200, (1, side, side))
    grid = Grid.north_up(500_000, 5_000_000, 10, side, side, "EPSG:32631")
    frames = []
    for place in range(count):
        pixels = base.astype(np.int16) * (-3 if steps is not None and place >= steps else 1)
        path = write(folder / f"d{place:03d}.tif", pixels, ("red",), -9999, grid)
        frames.append(Frame(str(path), 2020001 + place))
    return frames


def grey(folder):
    return bundle_for(sensor("hls-s30").select(["red"]), folder / "grey.safetensors")


def test_many_dates_are_opened_in_turn_and_kept_on_the_disk(tmp_path, monkeypatch):
    frames, bundle = few(tmp_path, 9, steps=6), grey(tmp_path)
    usual = series_run(frames, bundle, Place(exact=tmp_path / "usual"), PLAIN)
    monkeypatch.setattr(series_reading, "_MOST_OPEN", 2)
    monkeypatch.setattr(series_reading, "_IN_MEMORY", 1)
    frugal = series_run(frames, bundle, Place(exact=tmp_path / "frugal"), PLAIN)
    one, other = maps_of(usual.run), maps_of(frugal.run)
    for name in one:
        assert np.array_equal(one[name].pixels, other[name].pixels)
    assert set(one["date"].pixels.ravel()) == {2020007}
    assert set(one["before"].pixels.ravel()) == {2020006}
    with SeriesImage(frames, "nine", bundle.contract, PLAIN) as image:
        assert len(image._kept) == 2
        assert len(list(image.dates(image.grid.window))) == 9


def test_features_come_back_as_they_were_kept(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4, 10, 6)).astype(np.float16).astype(np.float32)
    with features_of((4, 10, 6), tmp_path) as kept:
        for date in vectors:
            kept.add(date)
        assert np.array_equal(kept.part(3, 8), vectors[:, 3:8].transpose(1, 0, 2))
    assert not list(tmp_path.iterdir())


def test_series_that_cannot_be_compared_are_refused(tmp_path):
    frames, bundle = few(tmp_path, 3), grey(tmp_path)
    place = Place(exact=tmp_path / "run")
    with pytest.raises(InvalidSetting, match="three dates or more"):
        series_run(frames[:2], bundle, place, PLAIN)
    with pytest.raises(InvalidSetting, match=r"d001\.tif is not known"):
        series_run([frames[0], Frame(frames[1].image), frames[2]], bundle, place, PLAIN)
    with pytest.raises(InvalidSetting, match="have the same date"):
        series_run([frames[0], *frames[:2]], bundle, place, PLAIN)
    away = Grid.north_up(900_000, 5_000_000, 10, 16, 16, "EPSG:32631")
    write(tmp_path / "away.tif", np.zeros((1, 16, 16), np.int16), ("red",), -9999, away)
    with pytest.raises(NoOverlap, match=r"away\.tif share no ground"):
        series_run([*frames[:2], Frame(str(tmp_path / "away.tif"), 2024001)], bundle, place, PLAIN)
    empty = np.full((1, 16, 16), -9999, np.int16)
    grid = Grid.north_up(500_000, 5_000_000, 10, 16, 16, "EPSG:32631")
    for frame in frames[1:]:
        write(frame.image, empty, ("red",), -9999, grid)
    with pytest.raises(NoValidPixels, match="no two dates"):
        series_run(frames, bundle, place, PLAIN)
    assert not (tmp_path / "run" / "manifest.json").exists()
