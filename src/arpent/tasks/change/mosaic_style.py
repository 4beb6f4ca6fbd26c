"""How maps of change look, in QGIS and in pictures: red where the ground has changed, clear where it has not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from arpent.report import figures

__all__ = ["Stop", "change_ramp", "cosine_steps", "probability_steps", "qgis_style", "strength_steps"]


@dataclass(frozen=True)
class Stop:
    """A colour for all values up to `value` and above the stop before."""

    value: float
    colour: str


_REDS = ("#ffcbb1", "#febb9c", "#fca582", "#fc825d", "#fb5e3b", "#ef3b2c", "#cb181d", "#a50f15")
"""From what has just changed to what has changed most."""
_CLEAR = "#ffffff"
_STEP = 0.1
_LOWEST, _GREATEST = -1.0, 2.0


def change_ramp(threshold: float) -> tuple[Stop, ...]:
    """Colours of cosines below a threshold; above the last stop nothing has changed and nothing is drawn."""
    values = [round(threshold - place * _STEP, 6) for place in range(len(_REDS))]
    kept = [value for value in values if value > _LOWEST] or [threshold]
    return tuple(Stop(value, colour) for value, colour in zip(kept, _REDS, strict=False))[::-1]


def cosine_steps(threshold: float) -> figures.Steps:
    """Colours of cosines, for pictures: red below the threshold."""
    ramp = change_ramp(threshold)
    return figures.Steps(_LOWEST, tuple(stop.value for stop in ramp), tuple(stop.colour for stop in ramp), high=1.0)


def probability_steps(threshold: float) -> figures.Steps:
    """Colours of probabilities, for pictures: red from the threshold on."""
    return _above(threshold, 1.0, (1.0 - threshold) / len(_REDS))


def strength_steps(threshold: float) -> figures.Steps:
    """Colours of the strength of change, 0 to 2, for pictures: red from the threshold on."""
    return _above(threshold, _GREATEST, _STEP)


def _above(threshold: float, high: float, step: float) -> figures.Steps:
    values = [round(threshold + place * step, 6) for place in range(len(_REDS))]
    ends = [value for value in values if value < high] or [threshold]
    reds = _REDS[: len(ends)]
    return figures.Steps(0.0, tuple(ends), (_CLEAR, *reds[:-1]), reds[-1], high)


def qgis_style(labels: Sequence[str], ramp: Sequence[Stop]) -> str:
    """A QGIS layer style (``.qml``) for the first band of a raster.

    Args:
        labels: what the legend says for each stop, and last for all above them ("no change").
        ramp: stops in ascending order.
    """
    root = ET.Element("qgis", version="3.28", styleCategories="Symbology")
    pipe = ET.SubElement(root, "pipe")
    renderer = ET.SubElement(
        pipe,
        "rasterrenderer",
        type="singlebandpseudocolor",
        band="1",
        opacity="1",
        alphaBand="-1",
        classificationMin=f"{_LOWEST:g}",
        classificationMax=f"{ramp[-1].value:g}",
    )
    shader = ET.SubElement(ET.SubElement(renderer, "rastershader"), "colorrampshader")
    shader.attrib.update(
        colorRampType="DISCRETE",
        classificationMode="1",
        clip="0",
        minimumValue=f"{_LOWEST:g}",
        maximumValue=f"{ramp[-1].value:g}",
    )
    for stop, label in zip(ramp, labels, strict=False):
        ET.SubElement(shader, "item", value=f"{stop.value:g}", color=stop.colour, alpha="255", label=label)
    ET.SubElement(shader, "item", value="inf", color="#ffffff", alpha="0", label=labels[-1])
    ET.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0")
    ET.SubElement(root, "blendMode").text = "0"
    ET.indent(root)
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{ET.tostring(root, encoding='unicode')}\n"
