"""Figures and pages, in one style."""
