"""How good a result is."""

from arpent.metrics.areas import AdjustedAreas, Estimate, adjust_areas
from arpent.metrics.calibration import Reliability, reliability
from arpent.metrics.change import BlockCounts, Detection
from arpent.metrics.curves import Curve, ScoreHistogram
from arpent.metrics.dense import Absent, ConfusionMatrix, DenseScores, DomainMatrices, Interval

__all__ = [
    "Absent",
    "AdjustedAreas",
    "BlockCounts",
    "ConfusionMatrix",
    "Curve",
    "DenseScores",
    "Detection",
    "DomainMatrices",
    "Estimate",
    "Interval",
    "Reliability",
    "ScoreHistogram",
    "adjust_areas",
    "reliability",
]
