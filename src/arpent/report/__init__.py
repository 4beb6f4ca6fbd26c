"""Figures and pages, in one style."""

from arpent.report.figures import Panel, confusion, curves, panels, preview

__all__ = ["Panel", "confusion", "curves", "panels", "preview"]
