"""Arithmetic on pixels: spectral indices, radiometry, quality masks."""

from arpent.core import ByteScale
from arpent.pixels.choice import highest
from arpent.pixels.indices import SpectralIndex, index_names, spectral_index, spectral_indices
from arpent.pixels.quality import QUALITY_LAYERS, SEVERITY, Quality, decode_quality, usable, worst_quality
from arpent.pixels.radiometry import (
    decibels_to_linear,
    linear_to_decibels,
    to_numbers,
    to_reflectance,
)
from arpent.pixels.upsampling import (
    TokenAxis,
    Upsampled,
    nearest_tokens,
    upsample,
    upsample_with_zeros,
    upsampling_matrix,
)

__all__ = [
    "QUALITY_LAYERS",
    "SEVERITY",
    "ByteScale",
    "Quality",
    "SpectralIndex",
    "TokenAxis",
    "Upsampled",
    "decibels_to_linear",
    "decode_quality",
    "highest",
    "index_names",
    "linear_to_decibels",
    "nearest_tokens",
    "spectral_index",
    "spectral_indices",
    "to_numbers",
    "to_reflectance",
    "upsample",
    "upsample_with_zeros",
    "upsampling_matrix",
    "usable",
    "worst_quality",
]
