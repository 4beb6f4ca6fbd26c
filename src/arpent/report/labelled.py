"""A picture with its labels as title and their chances as bars; and what in it, and in its caption, they rest on."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.language import number, percent
from arpent.report.pictures import ramp
from arpent.report.style import ACCENTS, FAINT, INK, SOFT, canvas, frame, publish, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LabelBar", "WordWeight", "explained", "labelled"]

_SIDE, _MARGIN, _ROW, _CHART = 3.6, 0.3, 0.25, 2.7  # inches
_LETTER = 0.078  # inches of a letter of a label
_TITLE_LETTER = 0.115  # inches of a letter of the title
_LINE = 0.2  # inches from one line of a caption to the next
_SMALL_LETTER, _SMALL_LINE = 0.0625, 0.155  # inches of a letter and a line of small print
_LONGEST = 30  # letters of a label
_MOST_WORDS = 24


@dataclass(frozen=True)
class LabelBar:
    """One label.

    Attributes:
        name: in words.
        chance: 0 … 1.
        threshold: chance from which on the label is given.
    """

    name: str
    chance: float
    threshold: float

    @property
    def given(self) -> bool:
        """Whether the picture gets the label."""
        return self.chance >= self.threshold


@dataclass(frozen=True)
class WordWeight:
    """A word of a caption, and what the chance of a label loses without it; below zero it gains."""

    word: str
    weight: float


def labelled(
    picture: NDArray[np.uint8] | None,
    bars: Sequence[LabelBar],
    path: Path,
    *,
    title: str,
    caption: str = "",
    note: str = "",
    language: Language = "en",
) -> Path:
    """The picture under its title, its caption below it, and a bar for each label, as PNG.

    A mark on each bar stands where the label begins to be given; labels that are given are coloured.

    Args:
        picture: ``(height, width, 3)``; None for a caption without picture.
        bars: from the top down, at least one.
        path: of the PNG.
        title: above all, in as many lines as it needs.
        caption: below the picture.
        note: small print at the foot.
        language: of the numbers.
    """
    if not bars:
        raise InvalidSetting("a picture has no label to show", cure="Give at least one.")
    wide, high = _size(picture)
    names = [_short(bar.name) for bar in bars]
    text = _LETTER * max(map(len, names)) + 0.1
    across = _MARGIN + wide + 0.45 + text + _CHART + 0.65
    lines = textwrap.wrap(title, max(int((across - 2 * _MARGIN) / _TITLE_LETTER), 12))
    below = textwrap.wrap(caption, max(int(wide / 0.074), 30)) if caption else []
    small = _small(note, across)
    rows = _ROW * len(bars) + 0.35
    body = max(high + _LINE * len(below) + 0.12, rows)
    tall = _MARGIN + 0.27 * len(lines) + 0.2 + body + 0.1 + _SMALL_LINE * len(small) + 0.2
    figure = canvas(across, tall)
    for place, line in enumerate(lines):
        write(figure, _MARGIN, tall - _MARGIN - 0.1 - 0.27 * place, line, size=12, bold=True)
    top = tall - _MARGIN - 0.27 * len(lines) - 0.1
    if picture is not None:
        _show(figure, picture, _MARGIN, top - high, wide, high)
    for place, line in enumerate(below):
        write(figure, _MARGIN, top - high - _LINE * (place + 1), line, size=8.5, colour=SOFT)
    left = _MARGIN + wide + 0.45 + text
    axes = figure.add_axes((left / across, (top - rows + 0.35) / tall, _CHART / across, (rows - 0.35) / tall))
    _bars(axes, bars, names, language)
    _write_small(figure, small)
    return publish(figure, path)


def explained(
    picture: NDArray[np.uint8] | None,
    heat: NDArray[np.floating] | None,
    words: Sequence[WordWeight],
    path: Path,
    *,
    title: str,
    heads: tuple[str, str, str],
    note: str = "",
    language: Language = "en",
) -> Path:
    """The picture, the picture with what counts in it, and what each word of the caption adds, as PNG.

    Args:
        picture: ``(height, width, 3)``; None for a caption without picture.
        heat: of the picture's shape, 0 … 1; None without picture.
        words: of the caption in their order; the first two dozen are shown.
        path: of the PNG.
        title: above all.
        heads: above the picture, above what counts in it, and above the words.
        note: small print at the foot.
        language: of the numbers.
    """
    if picture is None and not words:
        raise InvalidSetting("there is nothing to explain", cure="Give a picture, a caption, or both.")
    wide, high = _size(picture)
    shown = words[:_MOST_WORDS]
    rows = _ROW * max(len(shown), 4)
    pictures = 0 if picture is None or heat is None else 2
    chart = 0.2 + _LETTER * max([len(one.word) for one in shown] + [6]) + _CHART if words else 0.0
    across = _MARGIN + pictures * (wide + 0.3) + chart + (0.55 if words else 0.0)
    across = max(across, 2 * _MARGIN + _TITLE_LETTER * len(title))
    body = max(high, rows + 0.3 if words else 0.0)
    small = _small(note, across)
    tall = 1.05 + body + 0.2 + _SMALL_LINE * (len(small) + bool(small))
    figure = canvas(across, tall)
    write(figure, _MARGIN, tall - 0.42, title, size=12, bold=True)
    top = tall - 0.95
    if picture is not None and heat is not None:
        over = _glowing(picture, heat)
        for place, (one, head) in enumerate(zip((picture, over), heads[:2], strict=True)):
            left = _MARGIN + place * (wide + 0.3)
            write(figure, left, top + 0.1, head, size=9)
            _show(figure, one, left, top - high, wide, high)
    if words:
        left = _MARGIN + pictures * (wide + 0.3)
        write(figure, left, top + 0.1, heads[2], size=9)
        at = left + chart - _CHART
        axes = figure.add_axes((at / across, (top - rows) / tall, _CHART / across, rows / tall))
        _weights(axes, shown, language)
    _write_small(figure, small)
    return publish(figure, path)


def _small(note: str, across: float) -> list[str]:
    """Small print in lines of a figure that is so wide in inches."""
    return textwrap.wrap(note, max(int((across - 2 * _MARGIN) / _SMALL_LETTER), 30))


def _write_small(figure: Figure, lines: Sequence[str]) -> None:
    """Small print at the foot."""
    for place, line in enumerate(reversed(lines)):
        write(figure, _MARGIN, 0.2 + _SMALL_LINE * place, line, size=7.5, colour=SOFT)


def _size(picture: NDArray[np.uint8] | None) -> tuple[float, float]:
    """Width and height in inches of a picture in a square; a caption alone keeps room for its lines."""
    if picture is None:
        return 2.4, 0.0
    height, width = picture.shape[:2]
    scale = _SIDE / max(height, width)
    return max(scale * width, 0.6), max(scale * height, 0.6)


def _show(figure: Figure, picture: NDArray[np.uint8], left: float, bottom: float, wide: float, high: float) -> None:
    across, tall = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / tall, wide / across, high / tall))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    smooth = max(picture.shape[:2]) > 64
    axes.imshow(picture, aspect="auto", interpolation="antialiased" if smooth else "nearest")


def _bars(axes: Axes, bars: Sequence[LabelBar], names: Sequence[str], language: Language) -> None:
    from matplotlib.ticker import FuncFormatter

    frame(axes)
    places = range(len(bars))
    colours = [ACCENTS[0] if bar.given else "#b9c4ca" for bar in bars]
    axes.barh(places, [bar.chance for bar in bars], height=0.66, color=colours, linewidth=0)
    for place, bar in enumerate(bars):
        axes.plot([bar.threshold] * 2, [place - 0.42, place + 0.42], color=INK, linewidth=1.1)
        axes.text(
            1.02, place, percent(bar.chance, language, 0), va="center", fontsize=8, color=INK if bar.given else SOFT,
            family="DejaVu Sans",
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_yticks(places, names, fontsize=8.5, family="DejaVu Sans")
    for tick, bar in zip(axes.get_yticklabels(), bars, strict=True):
        tick.set_color(INK if bar.given else SOFT)
        tick.set_fontweight("bold" if bar.given else "normal")
    axes.set_xticks([0, 0.5, 1])
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=FAINT, linewidth=0.8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value, language, 0)))


def _weights(axes: Axes, words: Sequence[WordWeight], language: Language) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    frame(axes)
    values = [one.weight for one in words]
    colours = [ACCENTS[0] if value >= 0 else ACCENTS[1] for value in values]
    axes.barh(range(len(words)), values, height=0.66, color=colours, linewidth=0)
    reach = max([abs(value) for value in values] + [0.01]) * 1.1
    axes.set_xlim(min(1.1 * min(values), -0.04 * reach), max(1.1 * max(values), 0.04 * reach))
    axes.set_ylim(max(len(words), 4) - 0.5, -0.5)
    axes.axvline(0, color=SOFT, linewidth=0.8)
    axes.set_yticks(range(len(words)), [one.word for one in words], fontsize=8.5, color=INK, family="DejaVu Sans")
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=FAINT, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    decimals = 2 if reach < 0.5 else 1
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language, decimals)))


def _glowing(picture: NDArray[np.uint8], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The picture in grey, with colour where it counts."""
    grey = picture.mean(axis=2, keepdims=True).repeat(3, axis=2)
    strength = np.clip(heat, 0.0, 1.0)
    colours = ramp(strength)[..., :3].astype(np.float64)
    share = 0.8 * strength[..., None] ** 0.75
    return np.asarray(np.rint(grey * (1 - share) + colours * share), np.uint8)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
