"""Pictures of any kind as people see them."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import rasterio
from PIL import Image

from arpent.errors import FileMissing, InvalidSetting, UnreadableFile
from arpent.io import picture_files, read_picture
from arpent.io.held import held

COLOURS = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (250, 250, 250)]], np.uint8)
QUARTERS = COLOURS.repeat(32, 0).repeat(48, 1)


def close(seen, expected, most=6):
    """Whether two pictures are one, but for what JPEG does at the edges of colours."""
    inside = np.ones(expected.shape[:2], bool)
    for axis, length in enumerate(expected.shape[:2]):
        np.moveaxis(inside, axis, 0)[length // 2 - 8 : length // 2 + 8] = False
    return seen.shape == expected.shape and np.abs(seen.astype(int) - expected)[inside].max() <= most


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("a.jpg", "RGB", {"quality": 95}),
        ("a.png", "RGB", {}),
        ("a.webp", "RGB", {"lossless": True}),
        ("a.tif", "RGB", {}),
        ("a.bmp", "RGB", {}),
        ("cmyk.jpg", "CMYK", {"quality": 95}),
        ("cmyk.tif", "CMYK", {}),
        ("ycc.tif", "YCbCr", {"compression": "jpeg"}),
        ("palette.png", "P", {}),
        ("palette.gif", "P", {}),
    ],
)
def test_every_kind_of_colours(tmp_path, name, mode, options):
    image = Image.fromarray(QUARTERS)
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    image.save(tmp_path / name, **options)
    seen = read_picture(tmp_path / name)
    assert seen.dtype == np.uint8
    assert seen.flags.c_contiguous
    assert close(seen, QUARTERS)
    small = read_picture(tmp_path / name, side=16)
    assert small.shape == (16, 24, 3)
    assert np.abs(small[3::9, 4::14].astype(int) - COLOURS).max() <= 12


@pytest.mark.parametrize(("name", "mode"), [("g.png", "L"), ("g.jpg", "L"), ("g.png", "1"), ("g.tif", "1")])
def test_grey_becomes_three_equal_colours(tmp_path, name, mode):
    image = Image.fromarray(QUARTERS).convert(mode, dither=Image.Dither.NONE)
    image.save(tmp_path / name)
    seen = read_picture(tmp_path / name)
    assert close(seen, np.asarray(image.convert("RGB")))
    assert (seen == seen[..., :1]).all()


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_what_is_transparent_is_white(tmp_path, name):
    alpha = np.full(QUARTERS.shape[:2], 255, np.uint8)
    alpha[:10], alpha[10:20] = 0, 51
    Image.fromarray(np.dstack([QUARTERS, alpha])).save(
        tmp_path / name, **({"lossless": True, "exact": True} if name.endswith("webp") else {})
    )
    seen = read_picture(tmp_path / name)
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[15, 0].tolist() == [255, 204, 204]
    assert (seen[20:] == QUARTERS[20:]).all()


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_what_hides_behind_transparency_has_no_part_in_a_smaller_picture(tmp_path, name):
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, :30] = (255, 64, 64, 255)
    Image.fromarray(pixels).save(tmp_path / name)
    seen = read_picture(tmp_path / name, side=16)[:, 7].astype(int)
    assert seen.shape == (16, 3)
    assert np.abs(seen - (255, 160, 160)).max() <= 1, "half red, half paper"


def test_an_animation_is_called_so(tmp_path):
    frames = [Image.fromarray(np.full((16, 16, 3), value, np.uint8)) for value in (50, 200)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(UnreadableFile, match="is an animation"):
        read_picture(tmp_path / "a.webp")


def test_a_transparent_colour_of_a_palette_is_white(tmp_path):
    image = Image.fromarray(QUARTERS).quantize(8)
    image.save(tmp_path / "a.png", transparency=image.getpixel((0, 0)))
    seen = read_picture(tmp_path / "a.png")
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[0, -1].tolist() == [0, 255, 0]
    Image.fromarray(QUARTERS).convert("LA").save(tmp_path / "la.png")
    assert close(read_picture(tmp_path / "la.png"), np.asarray(Image.fromarray(QUARTERS).convert("L").convert("RGB")))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_every_way_to_hold_a_camera(tmp_path, name, turn):
    from PIL import ImageOps

    note = Image.Exif()
    note[0x0112] = turn
    options = {"a.jpg": {"quality": 95}, "a.webp": {"lossless": True}}.get(name, {})
    Image.fromarray(QUARTERS).save(tmp_path / name, exif=note, **options)
    with Image.open(tmp_path / name) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert close(read_picture(tmp_path / name), expected, 2)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"II*\0",
        b"MM\0*\xff\xff\xff\xff",
        b"II+\0\x08\0\0\0\x01\0" + bytes(12),
        b"\x89PNG\r\n\x1a\n\0\0\0\x04eXIfMM",
        b"RIFF\0\0\0\0WEBPEXIF\xff\xff\xff\x7fExif\0\0II*\0\x08\0\0\0\xff\xff",
    ],
)
def test_a_damaged_note_is_none(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    assert held(path) == 1


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_are_eight(tmp_path, name):
    pixels = QUARTERS.transpose(2, 0, 1)
    driver = "PNG" if name.endswith("png") else "GTiff"
    profile = {"driver": driver, "width": 96, "height": 64, "count": 3, "transform": rasterio.Affine.scale(1, 1)}
    if driver == "GTiff":
        profile["photometric"] = "RGB"
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(tmp_path / name, "w", dtype="uint16", **profile) as file,
    ):
        file.write(pixels.astype(np.uint16) * 257)
    assert (read_picture(tmp_path / name) == QUARTERS).all()


@pytest.mark.parametrize(("name", "options"), [("dark.png", {}), ("deep.tif", {}), ("marked.tif", {"nbits": 12})])
def test_what_is_dark_stays_dark_and_twelve_bits_are_told(tmp_path, name, options):
    profile = {"driver": "PNG" if name.endswith("png") else "GTiff", "width": 4, "height": 4, "count": 1, **options}
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(tmp_path / name, "w", dtype="uint16", **profile) as file,
    ):
        file.write(np.full((1, 4, 4), 1028, np.uint16))
    assert (read_picture(tmp_path / name) == (4 if name == "dark.png" else 64)).all()


def test_a_negative_is_turned(tmp_path):
    profile = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "photometric": "MINISWHITE"}
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(tmp_path / "m.tif", "w", dtype="uint8", **profile) as file,
    ):
        file.write(np.full((1, 4, 4), 100, np.uint8))
    assert (read_picture(tmp_path / "m.tif") == 155).all()


def placed(path, pixels, **profile):
    """A GeoTIFF."""
    count, height, width = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=count,
        dtype=pixels.dtype,
        crs="EPSG:32631",
        transform=rasterio.Affine(10, 0, 5e5, 0, -10, 4.8e6),
        **profile,
    ) as file:
        file.write(pixels)
        if count == 4:
            file.descriptions = ("B02", "B03", "B04", "B08")
    return path


def test_a_satellite_image_is_stretched_and_its_holes_are_white(tmp_path):
    ramp = np.linspace(500, 2500, 64 * 64).reshape(64, 64)
    pixels = np.stack([ramp, ramp[::-1], np.full((64, 64), 1500), ramp * 3]).astype(np.uint16)
    pixels[:, :8, :8] = 0
    seen = read_picture(placed(tmp_path / "s2.tif", pixels, nodata=0))
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert np.ptp(seen[8:, :, 0]) <= 1, "red is the third band, B04"
    assert seen[10, 0, 1] > 200 > 60 > seen[-1, 0, 1]
    assert seen[-1, -1, 2] > 240


def test_twelve_bands_without_names_are_those_of_sentinel_2(tmp_path):
    ramp = np.tile(np.linspace(500, 2500, 32), (32, 1))
    pixels = np.full((12, 32, 32), 1500, np.uint16)
    pixels[3], pixels[1] = ramp, ramp[:, ::-1]
    seen = read_picture(placed(tmp_path / "l2a.tif", pixels))
    assert seen[5, -1, 0] > 240 > 130 > seen[5, 5, 1] > 120 > 10 > seen[5, -1, 2]


def test_floats_may_lack_numbers(tmp_path):
    pixels = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (3, 32, 1))
    pixels[:, 3, 3] = np.nan
    seen = read_picture(placed(tmp_path / "f.tif", pixels))
    assert seen[3, 3].tolist() == [255, 255, 255]
    assert seen[5, 0].tolist() == [0, 0, 0]
    assert seen[5, -1].tolist() == [255, 255, 255]
    assert read_picture(placed(tmp_path / "empty.tif", np.full((3, 4, 4), np.nan, np.float32))).min() == 255


def test_it_is_read_at_a_part_of_its_size(tmp_path):
    smooth = np.add.outer(np.arange(600), np.arange(900)) % 1500 // 6
    picture = np.dstack([smooth] * 3).astype(np.uint8)
    for name in ("a.jpg", "a.png"):
        Image.fromarray(picture).save(tmp_path / name, quality=95)
        assert read_picture(tmp_path / name, side=600).shape == (600, 900, 3)
        assert read_picture(tmp_path / name, side=160).shape == (300, 450, 3)
        small = read_picture(tmp_path / name, side=37)
        assert small.shape == (38, 57, 3)
        mean = picture[:592, :896].reshape(37, 16, 56, 16, 3).mean((1, 3))
        assert np.abs(small[:37, :56] - mean).max() < 4
    with pytest.raises(InvalidSetting, match="at least one pixel"):
        read_picture(tmp_path / "a.png", side=0)


def bomb(path, width=60_000, height=60_000):
    """A PNG of a few bytes that claims 3.6 thousand million pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1 << 20))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


def test_a_bomb_is_refused_unopened(tmp_path):
    tracemalloc.start()
    with pytest.raises(UnreadableFile, match=r"too large for a picture \(found 60000 × 60000 pixels"):
        read_picture(bomb(tmp_path / "bomb.png"), side=64)
    assert tracemalloc.get_traced_memory()[1] < 5 << 20
    tracemalloc.stop()


def test_what_cannot_be_read_is_named(tmp_path):
    Image.fromarray(QUARTERS).save(tmp_path / "whole.jpg")
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no picture")
    for name in ("cut.jpg", "empty.jpg", "text.jpg"):
        with pytest.raises(UnreadableFile, match=name) as told:
            read_picture(tmp_path / name)
        assert "GDAL_" not in str(told.value)
        with pytest.raises(UnreadableFile, match=name):
            read_picture(tmp_path / name, side=16)
    with pytest.raises(FileMissing, match="whole"):
        read_picture(tmp_path / "whol.jpg")


@pytest.mark.parametrize("name", ["a.png", "grey.png", "palette.png", "a.webp", "a.gif", "a.bmp", "a.tif", "a.jpg"])
def test_what_is_cut_short_never_passes_for_whole(tmp_path, name):
    image = Image.fromarray(QUARTERS[::2, ::2])
    image = image.convert("L") if name == "grey.png" else image.quantize(8) if name == "palette.png" else image
    image.save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    whole = read_picture(tmp_path / name)
    for share in (0.2, 0.5, 0.8):
        (tmp_path / f"cut_{name}").write_bytes(content[: int(len(content) * share)])
        try:
            seen = read_picture(tmp_path / f"cut_{name}")
        except UnreadableFile:
            continue
        assert (seen == whole).all(), "only what no pixel needs may lack"


def test_a_list_of_addresses_is_no_picture(tmp_path):
    Image.fromarray(QUARTERS).save(tmp_path / "secret.png")
    band = "<VRTRasterBand dataType='Byte' band='1'><SimpleSource><SourceFilename>{}</SourceFilename></SimpleSource>"
    text = "<VRTDataset rasterXSize='96' rasterYSize='64'>" + band.format(tmp_path / "secret.png")
    (tmp_path / "evil.jpg").write_text(text + "</VRTRasterBand></VRTDataset>")
    with pytest.raises(UnreadableFile, match="no picture"):
        read_picture(tmp_path / "evil.jpg")


def test_the_pictures_of_a_folder(tmp_path):
    for name in ("b.JPG", "a/c.png", "a/.hidden.png", ".cache/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in picture_files(tmp_path)] == ["a/c.png", "b.JPG"]
