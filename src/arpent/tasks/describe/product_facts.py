"""What a Sentinel-2 product says of its own numbers: STAC items, ``.SAFE`` metadata, tags, and the product's name."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any
from xml.etree import ElementTree as ET

from arpent.core import day_of_text, guessed_day
from arpent.errors import UnreadableFile
from arpent.io.assets import is_item, load_items

__all__ = ["METADATA", "OFFSET", "ProductFacts", "facts_of"]

METADATA = "MTD_MSIL*.xml"
"""Names of the file that describes a ``.SAFE`` folder."""

OFFSET = -1000.0
"""Added to the numbers of a product from processing baseline 04.00 on, so that dark pixels may lie below zero."""

_FIRST_BASELINE = 400
_TEST_BASELINE = 9999
_NAMED = re.compile(r"_N(\d{4})_R\d{3}_")
_LARGEST_XML = 64 << 20
_FINEST = 1e-3
"""Scales of reflectance are 1e-4; those of water vapour and of optical thickness are larger."""
_UP = 5
"""Folders between a band of a ``.SAFE`` and its metadata."""
_ADDED = ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")
_QUANTITY = ("BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE")
_TIMES = ("PRODUCT_START_TIME", "DATATAKE_SENSING_START", "ACQUISITION_DATE", "DATETIME", "TIFFTAG_DATETIME")


@dataclass(frozen=True)
class ProductFacts:
    """What is known before a pixel is read.

    Attributes:
        offset: to be added to the numbers; None where nothing tells.
        told_by: who tells the offset, for people.
        scale: reflectance of the number 1; None where nothing tells.
        taken: the day.
    """

    offset: float | None = None
    told_by: str = ""
    scale: float | None = None
    taken: dt.date | None = None


def facts_of(source: str, tags: Mapping[str, str]) -> ProductFacts:
    """What a product says of itself; of several voices, the one that is nearest to the numbers is heard.

    Args:
        source: what the user pointed at.
        tags: metadata of its files.

    Raises:
        UnreadableFile: the metadata of a ``.SAFE`` folder are damaged.
    """
    found = ProductFacts()
    for voice in _voices(source, tags):
        if found.offset is None and voice.offset is not None:
            found = replace(found, offset=voice.offset, told_by=voice.told_by)
        found = replace(found, scale=found.scale or voice.scale, taken=found.taken or voice.taken)
    return found


def _voices(source: str, tags: Mapping[str, str]) -> Iterator[ProductFacts]:
    if is_item(source):
        for item in load_items(source):
            yield _of_item(item.content)
    else:
        file = _metadata_of(Path(source.removeprefix("file://")))
        if file is not None:
            yield _of_words(_words_of(file), file.name)
    yield _of_words({name: [text] for name, text in tags.items()}, "the tags of the file")
    named = _NAMED.search(source)
    if named:
        yield ProductFacts(_of_baseline(int(named[1])), f"baseline {named[1]} in the name")
    yield ProductFacts(taken=guessed_day(source))


def _metadata_of(path: Path) -> Path | None:
    """The metadata file of the ``.SAFE`` folder that `path` is, lies in or holds."""
    if not path.exists():
        return None
    here = path if path.is_dir() else path.parent
    folders = [here] if path.is_dir() else []
    folders += [folder for folder in (here, *list(here.parents)[:_UP]) if folder.suffix.upper() == ".SAFE"]
    for folder in folders:
        found = sorted(folder.glob(METADATA)) or (sorted(folder.glob(f"*.SAFE/{METADATA}")) if folder == path else [])
        if found:
            return found[0]
    return None


def _words_of(file: Path) -> dict[str, list[str]]:
    """The texts of a metadata file, by the name of their element."""
    words: dict[str, list[str]] = {}
    try:
        if file.stat().st_size > _LARGEST_XML:
            raise ET.ParseError("too large for metadata")
        root = ET.parse(file).getroot()  # noqa: S314 - expat bounds what entities may grow to
    except (ET.ParseError, OSError) as problem:
        raise UnreadableFile(
            f"the metadata {file} cannot be read",
            found=str(problem),
            cure="Take a fresh copy of the product, or point at its folder of bands and give --offset.",
        ) from problem
    for element in root.iter():
        text = (element.text or "").strip()
        if text:
            words.setdefault(str(element.tag).rpartition("}")[2].upper(), []).append(text)
    return words


def _of_words(given: Mapping[str, list[str]], told_by: str) -> ProductFacts:
    """The facts among names and texts, as metadata files and tags write them."""
    words = {name.upper(): texts for name, texts in given.items()}
    offset, by = None, ""
    for name in _ADDED:
        numbers = {number for text in words.get(name, ()) for part in text.split(",") if (number := _number(part))}
        zero = any(_number(part) == 0 for text in words.get(name, ()) for part in text.split(","))
        if len(numbers) == 1 and not zero:
            offset, by = numbers.pop(), f"{told_by}: {name}"
        elif zero and not numbers:
            offset, by = 0.0, f"{told_by}: {name}"
    for text in words.get("PROCESSING_BASELINE", ()):
        digits = text.replace(".", "").strip()
        if offset is None and re.fullmatch(r"\d{4}", digits):
            offset, by = _of_baseline(int(digits)), f"{told_by}: processing baseline {text}"
    found = [_number(text) for name in _QUANTITY for text in words.get(name, ())]
    quantities = [number for number in found if number is not None and number >= 1]
    days = (_day(text) for name in _TIMES for text in words.get(name, ()))
    return ProductFacts(
        offset, by, 1 / quantities[0] if quantities else None, next((day for day in days if day is not None), None)
    )


def _of_baseline(number: int) -> float | None:
    """The offset that goes with a processing baseline, written without its point; None for test runs."""
    if number == _TEST_BASELINE:
        return None
    return OFFSET if number >= _FIRST_BASELINE else 0.0


def _of_item(item: Mapping[str, Any]) -> ProductFacts:
    """The facts of a STAC item."""
    properties = _mapping(item.get("properties"))
    taken = _day(str(properties.get("datetime") or properties.get("start_datetime") or ""))
    if properties.get("earthsearch:boa_offset_applied") is True:
        return ProductFacts(0.0, "the STAC item: boa_offset_applied", taken=taken)
    for asset in map(_mapping, _mapping(item.get("assets")).values()):
        for entry in (*_mappings(asset.get("raster:bands")), *_mappings(asset.get("bands")), asset):
            scale = _number(entry.get("scale", entry.get("raster:scale")))
            offset = _number(entry.get("offset", entry.get("raster:offset")))
            if scale and offset and 0 < scale <= _FINEST:
                return ProductFacts(round(offset / scale), "the STAC item: raster:offset", scale, taken)
    for key in ("s2:processing_baseline", "processing:version"):
        digits = str(properties.get(key, "")).replace(".", "")
        if re.fullmatch(r"\d{4}", digits):
            return ProductFacts(_of_baseline(int(digits)), f"the STAC item: {key} {properties[key]}", taken=taken)
    return ProductFacts(taken=taken)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _day(text: str) -> dt.date | None:
    """The day at the beginning of a time, as 2022-06-01T10:56:21Z or 2022:06:01 10:56:21."""
    return day_of_text(text[:10].replace(":", "-")) or day_of_text(PurePath(text).name[:8])
