"""How a map of cosines looks, in QGIS and in pictures: red where the ground has changed, clear where it has not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from arpent.report import figures

__all__ = ["CHANGE_RAMP", "CHANGE_STEPS", "Stop", "qgis_style"]


@dataclass(frozen=True)
class Stop:
    """A colour for all values up to `value` and above the stop before."""

    value: float
    colour: str


CHANGE_RAMP = (
    Stop(0.05, "#a50f15"),
    Stop(0.15, "#cb181d"),
    Stop(0.25, "#ef3b2c"),
    Stop(0.35, "#fb5e3b"),
    Stop(0.45, "#fc825d"),
    Stop(0.55, "#fca582"),
    Stop(0.65, "#febb9c"),
    Stop(0.75, "#ffcbb1"),
)
"""Colours of a cosine; above the last stop nothing has changed and nothing is drawn."""

_LOWEST = -1.0

CHANGE_STEPS = figures.Steps(
    _LOWEST, tuple(stop.value for stop in CHANGE_RAMP), tuple(stop.colour for stop in CHANGE_RAMP)
)
"""The same for the pictures of a run."""


def qgis_style(labels: Sequence[str], ramp: Sequence[Stop] = CHANGE_RAMP) -> str:
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
