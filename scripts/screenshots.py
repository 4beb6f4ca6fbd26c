"""Pictures of the map for the README: ``python scripts/screenshots.py RUN… [-o docs/images] [--only NAME]``.

Puts the run folders on a map of its own, opens it in Chromium (ARPENT_CHROMIUM, or the one on the path), and takes one
picture for each kind of layer that the runs have. What it shows is the real page and the real server; nothing is drawn.
The reconstruction needs a pair compared by a model whose decoder has learnt to paint; that of change-nano has not.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SIZE = {"width": 1200, "height": 750}


@dataclass(frozen=True)
class Shot:
    """A picture: which layer on which task's run, what lies beneath it, and what is done before it is taken.

    Attributes:
        name: of the file.
        kind, task: of the layer; the first that fits is taken, in the order in which the runs are given.
        title: part of its English title.
        beneath: kind of a layer of the same run that is shown under it.
        act: what a reader does: "click", "last", "parcel", "swipe", "band".
        dark, language: how the page is read.
    """

    name: str
    kind: str
    task: str = ""
    title: str = ""
    beneath: str = ""
    act: str = ""
    dark: bool = False
    language: str = "en"


SHOTS = (
    Shot("land-cover", "classes", "landcover", beneath="composite", act="swipe"),
    Shot("change", "change", "change", beneath="composite", act="swipe"),
    Shot("persistence", "persistence", "change"),
    Shot("dates", "date", "change-mosaic"),
    Shot("fmask", "fmask", "change", beneath="composite"),
    Shot("reconstruction", "reconstruction", "change", "after", beneath="composite", act="swipe"),
    Shot("embedding", "embedding", "change", act="band"),
    Shot("forecast", "classes", "forecast", beneath="composite"),
    Shot("series", "composite", "forecast", act="click"),
    Shot("dark", "classes", "forecast", act="last", dark=True),
    Shot("parcels", "parcels", "describe-generate", beneath="composite", act="parcel"),
    Shot("change-fr", "change", "change", beneath="composite", act="swipe", language="fr"),
    Shot("forecast-fr", "classes", "forecast", beneath="composite", language="fr"),
    Shot("parcels-fr", "parcels", "describe-generate", beneath="composite", act="parcel", language="fr"),
)


def main(arguments: list[str]) -> int:
    """Takes the pictures; 1 when a kind of layer is not in the runs, or there is no Chromium."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", action="append", help="name of a picture; may be repeated, all of them if not given")
    asked = parser.parse_args(arguments)
    shots = [shot for shot in SHOTS if not asked.only or shot.name in asked.only]
    chromium = os.environ.get("ARPENT_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("Chromium is not installed (Debian: apt-get install chromium)")
        return 1
    asked.output.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import sync_playwright

    missing = []
    with TemporaryDirectory() as data, served(asked.runs, Path(data)) as site, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for shot in shots:
            picture = taken(browser, site, shot)
            if picture is None:
                missing.append(shot.name)
                continue
            size = written(picture, asked.output / f"{shot.name}.png")
            print(f"{shot.name}: {size / 1000:.0f} kB")
        browser.close()
    if missing:
        print(f"no layer for: {', '.join(missing)}")
    return 1 if missing else 0


@dataclass(frozen=True)
class Site:
    """A map: its address, and the numbers of its runs in their order."""

    address: str
    runs: list[int]


@contextmanager
def served(runs: list[Path], data: Path) -> Iterator[Site]:
    """A map with these runs, for as long as it is needed."""
    os.environ |= {"DATA_PATH": str(data), "DJANGO_ALLOW_ASYNC_UNSAFE": "1"}
    from arpent.web.site.serving import migrate, served_beside, set_up

    set_up()
    migrate()
    from arpent.web.index.registering import register

    done = [register(run) for run in runs]
    for one in done:
        for problem in one.problems:
            print(f"{one.name}: {problem}")
    with served_beside() as address:
        yield Site(address, [one.number for one in done])


def taken(browser: Any, site: Site, shot: Shot) -> bytes | None:
    """The picture, as PNG; None where no run has such a layer."""
    scheme = "dark" if shot.dark else "light"
    locale = {"en": "en-GB", "fr": "fr-FR"}[shot.language]
    context = browser.new_context(viewport=SIZE, color_scheme=scheme, locale=locale)
    tab = context.new_page()
    tab.goto(site.address)
    tab.wait_for_selector("body.ready")
    runs = tab.evaluate("fetch('/api/layers').then((answer) => answer.json())")["runs"]
    layers = found(sorted(runs, key=lambda run: site.runs.index(run["id"])), shot)
    if layers:
        tab.evaluate("document.querySelectorAll('#runs input:checked').forEach((box) => box.click())")
        for number in layers:
            tab.locator(f"#runs input[data-layer='{number}']").check()
        tab.locator("#shown .tool").nth(2).click()
        settle(tab)
        act(tab, shot.act)
        settle(tab)
    picture = bytes(tab.screenshot()) if layers else None
    context.close()
    return picture


def found(runs: list[dict[str, Any]], shot: Shot) -> list[int]:
    """The numbers of the layers to show, the lowest first; none where the layer itself is missing."""
    for run in runs:
        if not run["task"].startswith(shot.task):
            continue
        for layer in run["layers"]:
            if layer["kind"] == shot.kind and shot.title in layer["title"]["en"]:
                beneath = [one["id"] for one in run["layers"] if one["kind"] == shot.beneath][:1]
                return [*beneath, layer["id"]]
    return []


def settle(tab: Any) -> None:
    """Waits until every picture on the map is there, and not for ever."""
    tab.wait_for_timeout(500)
    for _ in range(100):
        if not tab.evaluate("document.querySelectorAll('.leaflet-tile:not(.leaflet-tile-loaded)').length"):
            break
        tab.wait_for_timeout(100)
    tab.wait_for_timeout(400)


def act(tab: Any, what: str) -> None:
    """Does what a reader would do before looking."""
    if what == "click":
        tab.mouse.click(760, 500)
        tab.wait_for_selector(".reading section")
    elif what == "last":
        tab.locator("#timeline-slider").focus()
        tab.keyboard.press("End")
    elif what == "swipe":
        tab.click("#tool-swipe")
        place = tab.locator("#divider").bounding_box()
        tab.mouse.move(place["x"] + place["width"] / 2, 300)
        tab.mouse.down()
        tab.mouse.move(780, 300, steps=4)
        tab.mouse.up()
        tab.mouse.move(780, 5)
    elif what == "band":
        tab.locator(".bands select").select_option(index=1)
    elif what == "parcel":
        shapes = tab.locator("path[data-feature]")
        place = shapes.nth(shapes.count() // 2).bounding_box()
        tab.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        tab.wait_for_selector("#card .told")
        tab.locator("#card .told summary").first.click()
        tab.locator(".leaflet-popup-close-button").click()


def written(picture: bytes, path: Path) -> int:
    """Writes the picture with all of its colours, packed as well as PNG can; returns its bytes."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(buffer, "PNG", optimize=True)
    path.write_bytes(buffer.getvalue())
    return buffer.tell()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
