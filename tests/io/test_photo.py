import numpy as np
import pytest
from PIL import Image

from arpent.errors import UnreadableFile
from arpent.io import open_image
from arpent.io import photo as photo_module
from arpent.io.photo import orientation, upright


def picture(height=24, width=40):
    """Smooth, so that JPEG keeps it, and different in every corner."""
    rows, cols = np.mgrid[:height, :width]
    return np.stack([rows * 255 // height, cols * 255 // width, (rows + cols) * 2 % 200], axis=-1).astype("uint8")


def stored(path, pixels, turn):
    """A photograph whose file holds `pixels` and says that it is to be turned."""
    image = Image.fromarray(pixels)
    note = image.getexif()
    note[0x0112] = turn
    image.save(path, exif=note, quality=100, **({"subsampling": 0} if path.suffix == ".jpg" else {}))
    return path


def seen(path):
    """As every viewer shows it."""
    from PIL import ImageOps

    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image)).transpose(2, 0, 1)


def pixels_of(path):
    with open_image(path) as image:
        return image.read(image.grid.window)


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_way_to_hold_a_camera(tmp_path, monkeypatch, turn):
    source = stored(tmp_path / "photo.jpg", picture(), turn)
    assert orientation(source) == turn
    monkeypatch.setattr(photo_module, "_STRIP_PIXELS", 40 * 7)  # several strips
    made = pixels_of(upright(source, tmp_path / "upright.tif"))
    assert made.pixels.shape == seen(source).shape
    assert np.abs(made.pixels.astype(int) - seen(source)).max() <= 1  # two decoders
    assert made.bands == ("red", "green", "blue")
    assert made.valid.all()


@pytest.mark.parametrize("turn", [1, 6, 8])
def test_a_photograph_is_resized_upright(tmp_path, turn):
    source = stored(tmp_path / "photo.jpg", picture(60, 90), turn)
    size = (30, 20) if turn > 4 else (20, 30)
    made = pixels_of(upright(source, tmp_path / "small.tif", size=size)).pixels
    whole = seen(source).astype(float)
    expected = whole.reshape(3, size[0], whole.shape[1] // size[0], size[1], whole.shape[2] // size[1]).mean((2, 4))
    assert np.abs(made - expected)[:2, 2:-2, 2:-2].max() < 6


def test_transparent_parts_are_no_data_and_black_is_not(tmp_path):
    pixels = np.dstack([picture(), np.full((24, 40), 255, "uint8")])
    pixels[:5, :5] = 0
    pixels[10:, 10:, :3] = 0
    source = stored(tmp_path / "cut.png", pixels, 1)
    for made in (
        pixels_of(upright(source, tmp_path / "cut.tif")),
        pixels_of(upright(source, tmp_path / "same.tif", size=(24, 40))),
    ):
        assert made.pixels.shape == (3, 24, 40)
        assert not made.valid[:5, :5].any()
        assert made.valid.sum() == 24 * 40 - 25


def test_a_picture_without_a_note_and_a_file_that_is_none(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "plain.jpg")
    assert orientation(tmp_path / "plain.jpg") == 1
    (tmp_path / "none.jpg").write_bytes(b"no picture")
    with pytest.raises(UnreadableFile):
        upright(tmp_path / "none.jpg", tmp_path / "none.tif")
    assert not (tmp_path / "none.tif").exists()
