"""Pages: everything inside, nothing obeyed, both languages."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from arpent.core import ClassMap, Raster
from arpent.errors import InvalidSetting
from arpent.report import Picture, Section, Table, Text, page_html, preview, write_page

VOID = {"meta", "img", "link", "br", "hr"}


class Reader(HTMLParser):
    """Collects text by tag, checks that tags are closed in order, and keeps every address."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: dict[str, list[str]] = {}
        self.addresses: list[str] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes[tag] = dict(attrs)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.setdefault(self.open[-1], []).append(data.strip())


@pytest.fixture
def picture(tmp_path: Path, land: Raster, classes: ClassMap) -> Picture:
    return Picture.of(preview(land, tmp_path / "map.png", classes=classes), "A map of classes", "Figure 1.")


def test_a_page_holds_its_text_tables_and_pictures(picture: Picture) -> None:
    table = Table(["class", "IoU", "pixels"], [["water", 0.81234, 12345], ["vine", None, 8]], "Per class", 3, marked=0)
    read = Reader(page_html("Report", [Section("Map", [Text("Words."), picture]), Section("Scores", [table])]))
    assert read.text["h1"] == ["Report"]
    assert read.text["h2"] == ["Map", "Scores"]
    assert read.text["td"] == ["water", "0.812", "12,345", "vine", "–", "8"]
    assert read.text["caption"] == ["Per class"]
    assert read.text["figcaption"] == ["Figure 1."]
    assert read.attributes["img"]["alt"] == "A map of classes"
    assert read.attributes["html"]["lang"] == "en"
    assert "nav" not in read.attributes


def test_numbers_are_written_as_the_reader_does() -> None:
    html = page_html("Rapport", [Section("Notes", [Table(["n"], [[12345.5]], decimals=1)])], language="fr")
    assert Reader(html).text["td"] == ["12\u202f345,5"]
    assert 'lang="fr"' in html


def test_nothing_is_fetched_from_anywhere(picture: Picture) -> None:
    sections = [Section(name, [picture]) for name in ("One", "Two", "Three")]
    html = page_html("Report", sections)
    for address in Reader(html).addresses:
        assert address.startswith(("data:image/png;base64,", "#s"))
    assert "http" not in html.replace('<meta name="generator"', "")
    assert "<script" not in html


def test_long_pages_have_contents() -> None:
    read = Reader(page_html("R", [Section(name, []) for name in ("One", "Two", "Three")], language="fr"))
    assert read.text["a"] == ["One", "Two", "Three"]
    assert read.attributes["nav"]["aria-label"] == "Sommaire"


def test_markup_in_the_text_is_shown_not_obeyed(picture: Picture) -> None:
    evil = "<script>alert('x')</script>\" onload=\"x"
    page = page_html(
        evil,
        [Section(evil, [Text(evil), Table([evil], [[evil]], evil), Picture(picture.png, evil, evil)])],
        lead=evil,
        footer=evil,
    )
    read = Reader(page)
    assert "script" not in read.attributes
    assert set(read.attributes["img"]) == {"src", "alt"}
    assert read.text["td"] == [evil]
    assert read.text["footer"] == [evil]


def test_it_reads_well_by_day_and_night() -> None:
    html = page_html("Report", [])
    assert "prefers-color-scheme: dark" in html
    assert "color-scheme: light dark" in html


def test_columns_of_numbers_are_set_to_the_right() -> None:
    table = Table(["name", "value", "empty", "mixed"], [["a", 1, None, 1], ["b", np.nan, None, "x"]])
    assert table.numeric == (False, True, False, False)
    assert table.cells("en") == [["a", "1", "–", "1"], ["b", "–", "–", "x"]]


def test_writing_is_all_or_nothing_and_repeatable(tmp_path: Path, picture: Picture) -> None:
    one, two = (write_page(tmp_path / name, "Report", [Section("Map", [picture])]) for name in ("a.html", "b.html"))
    assert one.read_bytes() == two.read_bytes()
    assert one.read_text("utf-8").startswith("<!doctype html>")


def test_mistakes_are_named() -> None:
    with pytest.raises(InvalidSetting, match="not a PNG"):
        Picture(b"GIF89a", "a picture")
    with pytest.raises(InvalidSetting, match="does not fit its columns"):
        Table(["a", "b"], [["only one"]])
