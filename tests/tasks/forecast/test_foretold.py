"""Places as they are foretold: whole images, however a data set divides them."""

from dataclasses import replace

from arpent.core import Window
from arpent.data import SampleIndex
from arpent.io import open_image
from arpent.store import Place
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.foretold import whole_places
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.predicting import foretell


def test_blocks_of_a_place_are_foretold_as_one(write_series, small_forecaster, tmp_path):
    """Two blocks side by side, that lack a date each, beside a place without blocks."""
    folder = write_series(tmp_path / "data", {"river": [20, 19, 18, 17], "pond": [12, 12, 12]})
    data = Dataset.read(folder)
    left, right = Window(0, 0, 64, 32), Window(0, 32, 64, 32)
    river = [one for one in data.index if one.domain == "river"]
    blocks = [replace(one, window=left, split="train") for one in river[1:]]
    blocks += [replace(one, window=right, split="test") for one in river[:-1]]
    index = SampleIndex([*blocks, *(one for one in data.index if one.domain == "pond")])
    divided = Dataset.write(folder, index, data.facts)
    assert sorted(place.name for place in divided.places) == ["pond", "river@0,0", "river@0,32"]
    found = {place.name: place for place in whole_places(divided)}
    assert set(found) == {"pond", "river"}
    assert found["river"].window is None
    assert found["river"].days == (0, 6, 12, 18)
    quick = ForetellSettings(tile=48, ring=4, halo=8, device="cpu", vector=False, probabilities=False)
    made = foretell(folder, small_forecaster(), Place(exact=tmp_path / "run"), quick)
    assert set(made.dates) == {"pond", "river"}
    ahead = next(one for one in made.dates["river"] if one.horizon == 1)
    with open_image(made.run.path / ahead.classes) as image:
        assert image.grid.shape == (64, 64)
        assert image.read(Window(0, 0, 64, 64)).valid.all()
