"""The words that every room speaks: grids, windows, rasters, bands, sensors, nomenclatures, model contracts."""

from arpent.core.areas import ground_area, ground_sampling_distance, pixel_area
from arpent.core.classes import ClassMap, LandClass, Language, nomenclature, nomenclature_names
from arpent.core.contract import BUNDLE_FORMAT, Contract, Normalisation
from arpent.core.grid import Bounds, Grid
from arpent.core.raster import Raster, Strip
from arpent.core.sensors import Band, Sensor, sensor, sensor_names
from arpent.core.window import Window

__all__ = [
    "BUNDLE_FORMAT",
    "Band",
    "Bounds",
    "ClassMap",
    "Contract",
    "Grid",
    "LandClass",
    "Language",
    "Normalisation",
    "Raster",
    "Sensor",
    "Strip",
    "Window",
    "ground_area",
    "ground_sampling_distance",
    "nomenclature",
    "nomenclature_names",
    "pixel_area",
    "sensor",
    "sensor_names",
]
