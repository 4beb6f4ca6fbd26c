"""Pictures of the cards that notebooks show: ``python scripts/cards.py RUN… [-o docs/images]``.

Each run folder becomes ``card.png``, or ``card-fr.png`` where the run was made in French, by Chromium (ARPENT_CHROMIUM,
or the one on the path) from the very HTML that a notebook gets. Call it where the run folders have short names: they
stand at the foot of the card.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from pathlib import Path

from PIL import Image

import arpent as ap

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 960
COLOURS = 256


def main(arguments: list[str]) -> int:
    """Takes the pictures; 1 where there is no Chromium."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images")
    asked = parser.parse_args(arguments)
    chromium = os.environ.get("ARPENT_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("Chromium is not installed (Debian: apt-get install chromium)")
        return 1
    from playwright.sync_api import sync_playwright

    asked.output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        for folder in asked.runs:
            run = ap.open_run(folder)
            page.set_content(f"<!doctype html><body style='margin:12px'>{run._repr_html_()}</body>")
            shot = Image.open(io.BytesIO(page.locator(".arpent-run").screenshot())).convert("RGB")
            file = asked.output / ("card.png" if run.language == "en" else f"card-{run.language}.png")
            few = shot.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            few.save(file, optimize=True)
            print(file)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
