"""Directories of TIFF files, in all their flavours."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.io import MemoryFile

from arpent.errors import UnreadableFile
from arpent.io.tiff import Entry, Flavour, directory_bytes, file_header, read_directories

numbers = st.sampled_from([(1, 255), (3, 65_535), (4, 2**32 - 1), (16, 2**64 - 1)]).flatmap(
    lambda kind: st.lists(st.integers(0, kind[1]), min_size=1, max_size=9).map(
        lambda values: Entry.of(kind[0], *values)
    )
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20).map(
    lambda text: Entry(2, text.encode() + b"\0")
)
doubles = st.lists(st.floats(allow_nan=False), min_size=1, max_size=4).map(lambda values: Entry.of(12, *values))
directories = st.dictionaries(st.integers(254, 60_000), st.one_of(numbers, texts, doubles), min_size=1, max_size=12)


@settings(max_examples=50)
@given(name=st.sampled_from(["classic", "big"]), content=st.lists(directories, min_size=1, max_size=3))
def test_directories_come_back(name, content) -> None:
    flavour = Flavour(name)
    if name == "classic":
        content = [
            {tag: entry for tag, entry in one.items() if entry.kind != 16} or {256: Entry.of(3, 1)} for one in content
        ]
    at, parts = 16, [file_header(flavour, 16).ljust(16, b"\0")]
    for index, directory in enumerate(content):
        end = at + flavour.directory_size(directory)
        parts.append(directory_bytes(flavour, directory, at, end if index + 1 < len(content) else 0))
        assert len(parts[-1]) == end - at
        at = end
    data = b"".join(parts)
    assert list(read_directories(data)) == content
    with pytest.raises(UnreadableFile):
        read_directories(data[: len(data) // 3])


@pytest.mark.parametrize("big", ["YES", "NO"])
@pytest.mark.parametrize("endianness", ["BIG", "LITTLE"])
def test_both_byte_orders_are_read(big: str, endianness: str) -> None:
    transform = rasterio.Affine(2, 0, 5, 0, -2, 7)
    options = {"width": 40, "height": 30, "count": 2, "dtype": "uint16", "transform": transform, "nodata": 9}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", BIGTIFF=big, ENDIANNESS=endianness, **options) as dataset:
            dataset.write(np.ones((2, 30, 40), "uint16"))
            dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION="été")
        data = bytes(memory.getbuffer())
    assert data[:2] == (b"MM" if endianness == "BIG" else b"II")
    (directory,) = read_directories(data)
    assert directory[256].values == (40,)
    assert directory[257].values == (30,)
    assert directory[258].values == (16, 16)
    assert directory[33550].values == (2.0, 2.0, 0.0)
    assert directory[270].text == "été"
    assert directory[42113].text == "9"


@pytest.mark.parametrize(
    "data", [b"", b"II", b"PNG", b"II\x2c\0abcd", b"II\x2a\0\xff\xff\xff\xff", b"MM\0\x2b" + b"\xff" * 40]
)
def test_what_is_no_tiff_is_said(data: bytes) -> None:
    with pytest.raises(UnreadableFile, match="not a whole TIFF file"):
        read_directories(data)
