import json

import numpy as np
import pytest
import rasterio

from arpent.core import Window
from arpent.errors import FileMissing, NetworkMissing, UnreadableFile
from arpent.io import open_image, retry


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(retry, "PAUSES", (0.01, 0.01))


def expected(cog_bytes, window):
    with rasterio.MemoryFile(cog_bytes) as memory, memory.open() as dataset:
        return dataset.read(window=rasterio.windows.Window(window.col, window.row, window.width, window.height))


def test_one_window_of_a_cog_costs_few_requests(web, cog_bytes):
    web.files["/a.tif"] = cog_bytes
    window = Window(256, 256, 256, 256)
    with open_image(web.url("/a.tif")) as image:
        assert len(web.requests) <= 2  # its size, its header
        found = image.read(window)
        assert len(web.requests) <= 3
        image.read(window)
        assert len(web.requests) <= 3  # again, from the cache
    np.testing.assert_array_equal(found.pixels, expected(cog_bytes, window))
    fetched = sum(int(b) - int(a) + 1 for _, _, r in web.requests if r for a, b in [r[6:].split("-")])
    assert fetched < len(cog_bytes) / 4


def test_a_window_across_tiles_costs_one_request_for_each_row_of_tiles(web, cog_bytes):
    web.files["/b.tif"] = cog_bytes
    with open_image(web.url("/b.tif")) as image:
        image.read(Window(100, 100, 512, 512))
    assert len(web.requests) <= 2 + 3


@pytest.mark.parametrize("failures", [[503], [503, 503], [0], [0, 0], [429]], ids=str)
def test_a_failure_that_passes_is_survived_at_opening(web, cog_bytes, failures):
    path = f"/open{'-'.join(map(str, failures))}.tif"
    web.files[path] = cog_bytes
    web.failures = list(failures)
    with open_image(web.url(path)) as image:
        assert image.grid.shape == (1024, 1024)


@pytest.mark.parametrize("failures", [[503], [0, 0]], ids=str)
def test_a_failure_that_passes_is_survived_while_reading(web, cog_bytes, failures):
    path = f"/read{'-'.join(map(str, failures))}.tif"
    web.files[path] = cog_bytes
    window = Window(512, 512, 256, 256)
    with open_image(web.url(path)) as image:
        web.failures = list(failures)
        found = image.read(window)
    np.testing.assert_array_equal(found.pixels, expected(cog_bytes, window))


def test_a_server_that_keeps_failing_is_given_up_after_three_tries(web, cog_bytes):
    web.files["/busy.tif"] = cog_bytes
    web.failures = [503] * 50
    with pytest.raises(NetworkMissing, match="503"):
        open_image(web.url("/busy.tif"))
    assert len(web.requests) == 3


def test_a_server_that_goes_away_while_reading(web, cog_bytes):
    web.files["/gone.tif"] = cog_bytes
    with open_image(web.url("/gone.tif")) as image:
        web.failures = [0] * 200
        with pytest.raises((NetworkMissing, UnreadableFile)):
            image.read(Window(512, 512, 300, 300))


def test_nobody_answers(web):
    with pytest.raises(NetworkMissing, match=r"cannot be read .* Check the address and the network"):
        open_image("http://127.0.0.1:9/a.tif")


def test_nothing_at_an_address(web):
    with pytest.raises(FileMissing, match="nothing at http"):
        open_image(web.url("/none.tif"))
    assert len(web.requests) == 1  # another try would not help


def test_an_address_that_may_not_be_read(web, cog_bytes):
    web.files["/secret.tif"] = cog_bytes
    web.failures = [403]
    with pytest.raises(NetworkMissing, match=r"may not be read\. Give credentials"):
        open_image(web.url("/secret.tif"))


def test_text_at_an_address(web):
    web.files["/page.tif"] = b"<html>not found</html>" * 50
    with pytest.raises(UnreadableFile, match="not an image"):
        open_image(web.url("/page.tif"))


def test_a_file_cut_short_on_the_server(web, cog_bytes):
    web.files["/cut.tif"] = cog_bytes[: len(cog_bytes) // 3]
    with open_image(web.url("/cut.tif")) as image, pytest.raises(UnreadableFile, match="cut short"):
        image.read(Window(700, 700, 300, 300))


def test_s3_with_credentials_from_the_environment(bucket, cog_bytes):
    bucket.put_object(Key="tiles/a b.tif", Body=cog_bytes)
    window = Window(300, 200, 100, 50)
    with open_image("s3://land/tiles/a b.tif") as image:
        np.testing.assert_array_equal(image.read(window).pixels, expected(cog_bytes, window))


def test_s3_without_credentials_is_read_anonymously(bucket, cog_bytes, monkeypatch, tmp_path):
    bucket.put_object(Key="open.tif", Body=cog_bytes, ACL="public-read")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with open_image("s3://land/open.tif") as image:
        assert image.grid.shape == (1024, 1024)


def test_s3_endpoint_in_gdal_s_own_words(bucket, cog_bytes, monkeypatch):
    bucket.put_object(Key="own.tif", Body=cog_bytes)
    import os

    monkeypatch.setenv("AWS_S3_ENDPOINT", os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with open_image("s3://land/own.tif") as image:
        assert image.bands == ("band_1", "band_2", "band_3")


def other(cog_bytes):
    """An image of the same size with other pixels, and all of its bytes."""
    with rasterio.MemoryFile(cog_bytes) as memory, memory.open() as dataset:
        profile, pixels = dataset.profile, dataset.read()
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(pixels.max() - pixels)
        return memory.read()


def test_another_image_under_the_same_key_is_read_anew(bucket, cog_bytes):
    window, contents = Window(256, 256, 256, 256), (cog_bytes, other(cog_bytes))
    for content in contents:
        bucket.put_object(Bucket="land", Key="same.tif", Body=content)
        with open_image("s3://land/same.tif") as image:
            np.testing.assert_array_equal(image.read(window).pixels, expected(content, window))


def test_another_image_at_the_same_address_is_read_anew(web, cog_bytes):
    window = Window(256, 256, 256, 256)
    for content in (cog_bytes, other(cog_bytes)):
        web.files["/same.tif"] = content
        with open_image(web.url("/same.tif")) as image:
            np.testing.assert_array_equal(image.read(window).pixels, expected(content, window))


def test_nothing_under_an_s3_key(bucket):
    with pytest.raises(FileMissing):
        open_image("s3://land/none.tif")


def test_s3_that_cannot_be_reached(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(NetworkMissing):
        open_image("s3://elsewhere/none.tif")


def test_s3_that_is_away_is_waited_for(bucket, s3, cog_bytes, monkeypatch):
    """GDAL notes of a store that does not answer that the file is empty; the note must not outlive the absence."""
    bucket.put_object(Key="away.tif", Body=cog_bytes)
    bucket.put_object(Key="there.tif", Body=cog_bytes)
    monkeypatch.setattr(retry, "PAUSES", (0.01, 0.01, 1.0, 1.0))
    window = Window(512, 512, 256, 256)
    with open_image("s3://land/there.tif") as image:
        with s3.away(0.5):
            found = image.read(window)
        np.testing.assert_array_equal(found.pixels, expected(cog_bytes, window))
    with s3.away(0.5), open_image("s3://land/away.tif") as image:
        np.testing.assert_array_equal(image.read(window).pixels, found.pixels)


def test_a_stac_item_at_an_address(web, cog_bytes):
    web.files["/items/cog.tif"] = cog_bytes
    bands = [{"name": name, "eo:common_name": name} for name in ("red", "green", "blue")]
    asset = {"href": "./cog.tif", "type": "image/tiff; application=geotiff", "roles": ["data"], "bands": bands}
    item = {"type": "Feature", "assets": {"image": asset}, "properties": {}}
    web.files["/items/item.json"] = json.dumps(item).encode()
    web.failures = [503]
    with open_image(web.url("/items/item.json"), bands=("blue", "red")) as image:
        found = image.read(Window(0, 0, 16, 16))
    np.testing.assert_array_equal(found.pixels, expected(cog_bytes, Window(0, 0, 16, 16))[[2, 0]])


def test_no_stac_item_at_an_address(web):
    with pytest.raises(FileMissing):
        open_image(web.url("/items/none.json"))
    web.failures = [500] * 9
    with pytest.raises(NetworkMissing, match="HTTP 500"):
        open_image(web.url("/items/broken.json"))
    web.failures = [403]
    with pytest.raises(NetworkMissing, match="HTTP 403"):
        open_image(web.url("/items/broken.json"))
    with pytest.raises(NetworkMissing):
        open_image("http://127.0.0.1:9/item.json")
