"""The words that every room speaks: grids, windows, rasters, bands, sensors, nomenclatures, model contracts."""

from arpent.core.addresses import object_address, shown_address, shown_values
from arpent.core.areas import ground_area, ground_outline, ground_sampling_distance, pixel_area
from arpent.core.batch_part import BatchPart
from arpent.core.byte_scale import ByteScale
from arpent.core.classes import ClassMap, LandClass, Language, nomenclature, nomenclature_names
from arpent.core.closing import Closing
from arpent.core.contract import BUNDLE_FORMAT, Contract, Normalisation, Normalisations, SensorContract
from arpent.core.counts import band_count
from arpent.core.dates import date_pattern, day_in_name, day_of_text, guessed_day
from arpent.core.grid import Bounds, Grid
from arpent.core.hashing import file_sha256
from arpent.core.names import is_document
from arpent.core.progress import Bar, Progress, Silent
from arpent.core.raster import Raster, Strip
from arpent.core.sensors import Band, Sensor, sensor, sensor_names
from arpent.core.settings import Setting, Settings, parse, settings_of
from arpent.core.small_files import no_folder
from arpent.core.window import Window
from arpent.core.writing import output_error, publish_file, remove_leftovers, sync_folder, write_file, writing
from arpent.core.yaml_files import load_yaml, merge

__all__ = [
    "BUNDLE_FORMAT",
    "Band",
    "Bar",
    "BatchPart",
    "Bounds",
    "ByteScale",
    "ClassMap",
    "Closing",
    "Contract",
    "Grid",
    "LandClass",
    "Language",
    "Normalisation",
    "Normalisations",
    "Progress",
    "Raster",
    "Sensor",
    "SensorContract",
    "Setting",
    "Settings",
    "Silent",
    "Strip",
    "Window",
    "band_count",
    "date_pattern",
    "day_in_name",
    "day_of_text",
    "file_sha256",
    "ground_area",
    "ground_outline",
    "ground_sampling_distance",
    "guessed_day",
    "is_document",
    "load_yaml",
    "merge",
    "no_folder",
    "nomenclature",
    "nomenclature_names",
    "object_address",
    "output_error",
    "parse",
    "pixel_area",
    "publish_file",
    "remove_leftovers",
    "sensor",
    "sensor_names",
    "settings_of",
    "shown_address",
    "shown_values",
    "sync_folder",
    "write_file",
    "writing",
]
