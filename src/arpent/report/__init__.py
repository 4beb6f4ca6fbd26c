"""Figures and pages, in one style."""

from arpent.report.bars import Bar, bars
from arpent.report.detection import DetectionLine, detection
from arpent.report.figures import Panel, confusion, curves, panels, preview
from arpent.report.lines import lines
from arpent.report.page import Picture, Section, Table, Text, page_html, write_page
from arpent.report.parcels import Card, Mark, Measure, ParcelPage, Passage, parcel_page_html, write_parcel_page
from arpent.report.reliability import ReliabilityLine, reliabilities
from arpent.report.small_pictures import (
    NDVI_ENDS,
    SmallPicture,
    Tone,
    ndvi_colours,
    small_picture,
    tone_of,
    true_colours,
)
from arpent.report.study import Course, Tile, class_bars, courses, tiles

__all__ = [
    "NDVI_ENDS",
    "Bar",
    "Card",
    "Course",
    "DetectionLine",
    "Mark",
    "Measure",
    "Panel",
    "ParcelPage",
    "Passage",
    "Picture",
    "ReliabilityLine",
    "Section",
    "SmallPicture",
    "Table",
    "Text",
    "Tile",
    "Tone",
    "bars",
    "class_bars",
    "confusion",
    "courses",
    "curves",
    "detection",
    "lines",
    "ndvi_colours",
    "page_html",
    "panels",
    "parcel_page_html",
    "preview",
    "reliabilities",
    "small_picture",
    "tiles",
    "tone_of",
    "true_colours",
    "write_page",
    "write_parcel_page",
]
