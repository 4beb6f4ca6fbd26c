"""Chips brought to the size that CROMA has learnt from, as XVision shows them to it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import torch
from torch.nn import functional

from arpent.core import Grid, Raster, Window
from arpent.errors import InvalidSetting
from arpent.store import Place
from arpent.tasks.describe.embed_settings import EmbedSettings
from arpent.tasks.describe.embedding import embed_images
from arpent.tasks.describe.embedding_table import read_embeddings, vectors_of
from arpent.tasks.describe.encoding import Encoder
from arpent.tasks.describe.stretched import Stretched

TINY = {"encoder": "croma-tiny", "random_init": True, "device": "cpu", "runtime": "torch"}


class Chip:
    """A scene in memory."""

    def __init__(self, pixels: np.ndarray, valid: np.ndarray | None = None) -> None:
        self.name, self.taken, self.bands = "chip", dt.date(2022, 6, 1), ("B04", "B08")
        self.grid = Grid.north_up(500_000, 4_900_000, 10, *pixels.shape[1:], 32631)
        self.pixels, self.valid = pixels, np.ones(pixels.shape[1:], bool) if valid is None else valid

    def read(self, window: Window) -> Raster:
        here = window.slices
        return Raster(self.pixels[:, *here], self.valid[here], self.grid.crop(window), self.bands)


def test_pixels_lie_between_those_of_the_chip_and_the_ground_stays() -> None:
    pixels = np.random.default_rng(0).uniform(0, 5000, (2, 64, 64)).astype(np.float32)
    scene = Stretched(Chip(pixels), 120)
    whole = scene.read(scene.grid.window)
    wanted = functional.interpolate(torch.from_numpy(pixels)[None], (120, 120), mode="bilinear")[0].numpy()
    np.testing.assert_allclose(whole.pixels, wanted, rtol=1e-5)
    assert whole.valid.all()
    assert scene.grid.bounds == Chip(pixels).grid.bounds
    part = scene.read(Window(8, 16, 24, 32))
    assert np.array_equal(part.pixels, whole.pixels[:, 8:32, 16:48])


def test_pixels_without_data_take_no_part() -> None:
    pixels, valid = np.full((2, 64, 64), 3000, np.float32), np.ones((64, 64), bool)
    pixels[:, :, 40:], valid[:, 40:] = 60_000, False
    seen = Stretched(Chip(pixels, valid), 120).read(Window(0, 0, 120, 120))
    assert not seen.valid[:, 76:].any()
    assert seen.valid[:, :74].all()
    np.testing.assert_allclose(seen.pixels[:, seen.valid], 3000, rtol=1e-5)


def test_chips_of_xvision_are_enlarged_and_nothing_else_is(write_scene, country, tmp_path) -> None:
    from arpent.tasks.describe.layouts import BANDS
    from arpent.tasks.describe.scenes import open_scene

    file = str(write_scene("place_20220601.tif", country.stack(BANDS)[:, :, :60], names=BANDS))

    def vector(folder: str, **settings: object) -> np.ndarray:
        made = embed_images([file], Place(exact=tmp_path / folder), EmbedSettings(**TINY, **settings))
        return vectors_of(read_embeddings(made.run.path))[0]

    enlarged, plain = vector("xvision", profile="xvision"), vector("arpent")
    assert np.array_equal(enlarged, vector("asked", resize=120))
    assert not np.allclose(enlarged, plain, atol=1e-3)
    with open_scene(file) as scene:
        encoder, seen = Encoder.open("croma-tiny", random_init=True, device="cpu"), Stretched(scene, 120)
        tokens = encoder.tokens(encoder.normalised(seen.read(seen.grid.window))[None])[0]
        assert tokens.shape[0] == 15 * 15
        np.testing.assert_allclose(encoder.pooled(tokens.mean(axis=0)), enlarged, atol=1e-4)


def test_what_cannot_be_resized_is_said(write_scene, country, tmp_path) -> None:
    from arpent.tasks.describe.layouts import BANDS

    file = str(write_scene("place_20220601.tif", country.stack(BANDS), names=BANDS))
    with pytest.raises(InvalidSetting, match="whole images"):
        embed_images([file], Place(exact=tmp_path / "a"), EmbedSettings(**TINY, resize=64, chip=30))
    with pytest.raises(InvalidSetting, match="too large"):
        Stretched(Chip(np.zeros((2, 10, 1025), np.float32)), 120)
