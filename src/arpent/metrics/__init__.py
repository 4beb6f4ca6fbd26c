"""How good a result is."""

from arpent.metrics.areas import AdjustedAreas, Estimate, adjust_areas
from arpent.metrics.dense import Absent, ConfusionMatrix, DenseScores, DomainMatrices, Interval

__all__ = [
    "Absent",
    "AdjustedAreas",
    "ConfusionMatrix",
    "DenseScores",
    "DomainMatrices",
    "Estimate",
    "Interval",
    "adjust_areas",
]
