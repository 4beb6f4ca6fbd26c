"""How good a result is."""

from arpent.metrics.areas import AdjustedAreas, Estimate, adjust_areas
from arpent.metrics.belief import believed
from arpent.metrics.calibration import Reliability, reliability
from arpent.metrics.change import BlockCounts, Detection
from arpent.metrics.curves import Curve, ScoreHistogram
from arpent.metrics.dense import Absent, ConfusionMatrix, DenseScores, DomainMatrices
from arpent.metrics.faithfulness import (
    FIGURES,
    Faithfulness,
    FaithfulnessTally,
    Figure,
    Told,
    contradicts,
    declines,
    numbers_of,
    slope,
)
from arpent.metrics.forecast import REGIMES, ForecastTally, HorizonScores, Regime, Shares, regime_of
from arpent.metrics.jackknife import jackknife
from arpent.metrics.labels import LabelFigures, Labelled, LabelScores, label_curve, label_reliability, score_labels
from arpent.metrics.resampling import Interval, bootstrap, redrawn, within
from arpent.metrics.temperature import calibrate
from arpent.metrics.texts import TextScores, bleu4, cider, compare_texts, rouge_l, words

__all__ = [
    "FIGURES",
    "REGIMES",
    "Absent",
    "AdjustedAreas",
    "BlockCounts",
    "ConfusionMatrix",
    "Curve",
    "DenseScores",
    "Detection",
    "DomainMatrices",
    "Estimate",
    "Faithfulness",
    "FaithfulnessTally",
    "Figure",
    "ForecastTally",
    "HorizonScores",
    "Interval",
    "LabelFigures",
    "LabelScores",
    "Labelled",
    "Regime",
    "Reliability",
    "ScoreHistogram",
    "Shares",
    "TextScores",
    "Told",
    "adjust_areas",
    "believed",
    "bleu4",
    "bootstrap",
    "calibrate",
    "cider",
    "compare_texts",
    "contradicts",
    "declines",
    "jackknife",
    "label_curve",
    "label_reliability",
    "numbers_of",
    "redrawn",
    "regime_of",
    "reliability",
    "rouge_l",
    "score_labels",
    "slope",
    "within",
    "words",
]
