"""Samples: index, splits, statistics, normalisation, augmentation, batches."""

from arpent.data.augment import Augment, Patch, dihedral, generator_for
from arpent.data.batches import Batch, Batches, PatchLoader, target_of
from arpent.data.drifting import ONE_LANDSCAPE, WHOLE_WORLD, FarBand, FarLimit, far_bands, glance, glances
from arpent.data.footprints import Footprint, cut_blocks, footprints, located
from arpent.data.index import SampleIndex
from arpent.data.labels import LabelCounts, count_labels
from arpent.data.leaks import Leak, check_leak, find_leaks
from arpent.data.measures import MeasuredImages, measure_images, read_measures, read_statistics
from arpent.data.mixture import Mix
from arpent.data.normalise import (
    NORMALISATIONS,
    Normaliser,
    byte_scale_of,
    in_decibels,
    normalisation,
    normaliser_of,
    standardisation,
    with_absent,
)
from arpent.data.patches import GridPatches, PatchPlan, PatchRef, RandomPatches
from arpent.data.pool import Opening, ReaderPool
from arpent.data.sample import SPLITS, Sample, Split
from arpent.data.share import WHOLE, Share
from arpent.data.split import DEFAULT_FRACTIONS, split_by_block, split_by_domain
from arpent.data.statistics import Statistics, StatisticsRecord, measure
from arpent.data.truth import require_fitting_masks

__all__ = [
    "DEFAULT_FRACTIONS",
    "NORMALISATIONS",
    "ONE_LANDSCAPE",
    "SPLITS",
    "WHOLE",
    "WHOLE_WORLD",
    "Augment",
    "Batch",
    "Batches",
    "FarBand",
    "FarLimit",
    "Footprint",
    "GridPatches",
    "LabelCounts",
    "Leak",
    "MeasuredImages",
    "Mix",
    "Normaliser",
    "Opening",
    "Patch",
    "PatchLoader",
    "PatchPlan",
    "PatchRef",
    "RandomPatches",
    "ReaderPool",
    "Sample",
    "SampleIndex",
    "Share",
    "Split",
    "Statistics",
    "StatisticsRecord",
    "byte_scale_of",
    "check_leak",
    "count_labels",
    "cut_blocks",
    "dihedral",
    "far_bands",
    "find_leaks",
    "footprints",
    "generator_for",
    "glance",
    "glances",
    "in_decibels",
    "located",
    "measure",
    "measure_images",
    "normalisation",
    "normaliser_of",
    "read_measures",
    "read_statistics",
    "require_fitting_masks",
    "split_by_block",
    "split_by_domain",
    "standardisation",
    "target_of",
    "with_absent",
]
