"""Values of the analytic rasters behind the map: at a place, inside an area, cut out."""

from arpent.web.values.areas import MOST_CORNERS, MOST_PIXELS, ClassArea, Effort, areas_in, drawn_area
from arpent.web.values.clip import MOST_BYTES, clipped
from arpent.web.values.point import PointValue, values_at

__all__ = [
    "MOST_BYTES",
    "MOST_CORNERS",
    "MOST_PIXELS",
    "ClassArea",
    "Effort",
    "PointValue",
    "areas_in",
    "clipped",
    "drawn_area",
    "values_at",
]
