"""Figures and pages, in one style."""

from arpent.report.bars import Bar, bars
from arpent.report.detection import DetectionLine, detection
from arpent.report.figures import Panel, confusion, curves, panels, preview
from arpent.report.lines import lines
from arpent.report.page import Picture, Section, Table, Text, page_html, write_page
from arpent.report.reliability import ReliabilityLine, reliabilities
from arpent.report.study import Course, Tile, class_bars, courses, tiles

__all__ = [
    "Bar",
    "Course",
    "DetectionLine",
    "Panel",
    "Picture",
    "ReliabilityLine",
    "Section",
    "Table",
    "Text",
    "Tile",
    "bars",
    "class_bars",
    "confusion",
    "courses",
    "curves",
    "detection",
    "lines",
    "page_html",
    "panels",
    "preview",
    "reliabilities",
    "tiles",
    "write_page",
]
