"""Figures and pages, in one style."""

from arpent.report.detection import DetectionLine, detection
from arpent.report.figures import Panel, confusion, curves, panels, preview
from arpent.report.lines import lines
from arpent.report.page import Picture, Section, Table, Text, page_html, write_page

__all__ = [
    "DetectionLine",
    "Panel",
    "Picture",
    "Section",
    "Table",
    "Text",
    "confusion",
    "curves",
    "detection",
    "lines",
    "page_html",
    "panels",
    "preview",
    "write_page",
]
