"""The figure that everything is drawn on, which notebooks show by themselves."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure

__all__ = ["Sheet", "png_of"]

_SCREEN = 96  # pixels per inch that browsers count


class Sheet(Figure):
    """A figure of matplotlib that a notebook shows without pyplot, and without a magic word before it."""

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        wide, tall = self.get_size_inches()
        return png_of(self), {"width": round(wide * _SCREEN), "height": round(tall * _SCREEN)}


def png_of(figure: Figure) -> bytes:
    """The figure as PNG. Equal figures give equal bytes: no date, no program name."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
