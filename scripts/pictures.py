"""Brings the pictures of a demo into the documentation: ``python scripts/pictures.py arpent-demo``.

They become no wider than a page of text, and keep 256 colours: a clone should not weigh more for them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SHOWN = {"landcover": "demo.png", "change-pair-1": "change.png"}
"""Runs of the demo, and what the previews of them are called here."""

WIDEST = 1224
COLOURS = 256


def main(demo: Path) -> None:
    """Writes each picture anew."""
    for run, name in SHOWN.items():
        picture = Image.open(demo / run / "preview.png").convert("RGB")
        if picture.width > WIDEST:
            height = round(picture.height * WIDEST / picture.width)
            picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
        few = picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(PICTURES / name, optimize=True)
        print(PICTURES / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
