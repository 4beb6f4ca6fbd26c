"""Samples: index, splits, statistics, normalisation, augmentation, batches."""

from arpent.data.augment import Augment, Patch, dihedral, dihedral_inverse, generator_for
from arpent.data.index import SampleIndex
from arpent.data.normalise import NORMALISATIONS, Normaliser, byte_scale_of, drift, normalisation, standardisation
from arpent.data.sample import SPLITS, Sample, Split
from arpent.data.statistics import Statistics, StatisticsRecord, measure, statistics_of

__all__ = [
    "NORMALISATIONS",
    "SPLITS",
    "Augment",
    "Normaliser",
    "Patch",
    "Sample",
    "SampleIndex",
    "Split",
    "Statistics",
    "StatisticsRecord",
    "byte_scale_of",
    "dihedral",
    "dihedral_inverse",
    "drift",
    "generator_for",
    "measure",
    "normalisation",
    "standardisation",
    "statistics_of",
]
