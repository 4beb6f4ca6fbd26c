"""The loops over pixels that Python calls: sampling the landscape, casting shadows, adding up light."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from arpent.testing.compiled import entry
from arpent.testing.layout import World
from arpent.testing.noise import gamma, gaussian, hashed, swell
from arpent.testing.surface import WATER_VARIANT, look, wet_at, wet_material

__all__ = ["clouds", "drown", "grain", "light", "shadows", "speckle", "survey", "tally", "water"]

Array = np.ndarray
Loop = Callable[..., None]


@entry
def survey(stamp: int) -> Loop:
    """Looks at one point per pixel.

    The loop takes the world, the points `us`, `vs` in metres, and fills material, variant and event (uint8), texture
    and height (float32); all are ``(rows, columns)``.
    """

    def loop(
        world: World, us: Array, vs: Array, material: Array, variant: Array, event: Array, texture: Array, height: Array
    ) -> None:
        _ = stamp
        for row in range(us.shape[0]):
            for col in range(us.shape[1]):
                seen = look(world, us[row, col], vs[row, col])
                material[row, col] = seen.spot.material
                variant[row, col] = seen.spot.variant
                event[row, col] = seen.event
                texture[row, col] = seen.spot.texture
                height[row, col] = seen.spot.height

    return loop


@entry
def water(stamp: int) -> Loop:
    """Finds, for each point of a flood plain, the water level that drowns it, and how bright the water then is.

    The loop takes the world, the points `us`, `vs` in metres, and fills `height` in metres and `ripple`, both float32
    ``(rows, columns)``.
    """

    def loop(world: World, us: Array, vs: Array, height: Array, ripple: Array) -> None:
        _ = stamp
        for row in range(us.shape[0]):
            for col in range(us.shape[1]):
                found = wet_at(world, us[row, col], vs[row, col])
                height[row, col] = found.height
                ripple[row, col] = found.light

    return loop


@entry
def drown(stamp: int) -> Loop:
    """Puts water of a level over the dry land, in place.

    The loop takes the level and the height of each point in metres, the brightness of water there, and changes
    material, variant (uint8) and texture (float32); all are ``(rows, columns)``.
    """

    def loop(level: float, height: Array, ripple: Array, material: Array, variant: Array, texture: Array) -> None:
        _ = stamp
        for row in range(height.shape[0]):
            for col in range(height.shape[1]):
                if height[row, col] < level:
                    material[row, col] = wet_material(height[row, col], level)
                    variant[row, col] = WATER_VARIANT
                    texture[row, col] = ripple[row, col]

    return loop


@entry
def shadows(stamp: int) -> Loop:
    """Finds the pixels that something nearer to the sun hides from it.

    The loop takes the heights in metres of a window with a margin, the first row and column inside that margin, the
    steps towards the sun as offsets in rows and columns and as the rise of the sun's ray in metres, and fills
    `dark` (bool).
    """

    def loop(height: Array, top: int, left: int, rows: Array, cols: Array, rise: Array, dark: Array) -> None:
        _ = stamp
        for row in range(dark.shape[0]):
            for col in range(dark.shape[1]):
                here = height[top + row, left + col]
                hidden = False
                for step in range(rise.shape[0]):
                    if height[top + row + rows[step], left + col + cols[step]] > here + rise[step]:
                        hidden = True
                        break
                dark[row, col] = hidden

    return loop


@entry
def light(stamp: int) -> Loop:
    """Mean of what the points of each pixel send back.

    The loop takes material, variant, texture and dark ``(rows × k, columns × k)``, the table ``(material, variant,
    band)``, the light left in shadow per band, `k`, and fills ``(band, row, column)``.
    """

    def loop(
        material: Array, variant: Array, texture: Array, dark: Array, table: Array, shade: Array, k: int, out: Array
    ) -> None:
        _ = stamp
        share = np.float32(1.0 / (k * k))
        for row in range(out.shape[1]):
            for col in range(out.shape[2]):
                for band in range(out.shape[0]):
                    total = np.float32(0.0)
                    for r in range(row * k, row * k + k):
                        for c in range(col * k, col * k + k):
                            sent = table[material[r, c], variant[r, c], band] * texture[r, c]
                            total += sent * shade[band] if dark[r, c] else sent
                    out[band, row, col] = total * share

    return loop


@entry
def tally(stamp: int) -> Loop:
    """Counts, per pixel, the points that hold each value.

    The loop takes values ``(rows × k, columns × k)``, a table of 256 entries from value to slot (−1: do not count),
    `k`, and adds to ``(slot, row, column)``.
    """

    def loop(values: Array, slot_of: Array, k: int, counts: Array) -> None:
        _ = stamp
        for row in range(counts.shape[1] * k):
            for col in range(counts.shape[2] * k):
                slot = slot_of[values[row, col]]
                if slot >= 0:
                    counts[slot, row // k, col // k] += 1

    return loop


@entry
def grain(stamp: int) -> Loop:
    """Adds the camera's noise in place: standard deviation = `floor` + `share` × signal.

    The loop takes a seed, the lattice row and column of the first pixel, `floor`, `share` and ``(band, row, column)``.
    """

    def loop(seed: np.uint64, row0: int, col0: int, floor: float, share: float, pixels: Array) -> None:
        _ = stamp
        for band in range(pixels.shape[0]):
            for row in range(pixels.shape[1]):
                for col in range(pixels.shape[2]):
                    value = pixels[band, row, col]
                    draw = gaussian(hashed(seed, row0 + row, col0 + col, band))
                    pixels[band, row, col] = value + draw * (floor + share * value)

    return loop


@entry
def speckle(stamp: int) -> Loop:
    """Multiplies power in place by Gamma noise of mean 1 and the given number of looks.

    The loop takes a seed, the lattice row and column of the first pixel, the looks and ``(band, row, column)``.
    """

    def loop(seed: np.uint64, row0: int, col0: int, looks: float, power: Array) -> None:
        _ = stamp
        for band in range(power.shape[0]):
            for row in range(power.shape[1]):
                for col in range(power.shape[2]):
                    power[band, row, col] *= gamma(seed, row0 + row, col0 + col, band, looks)

    return loop


@entry
def clouds(stamp: int) -> Loop:
    """Fills `thickness` with a fractal field of clouds, about −1 … 1, at the points `us`, `vs` in metres."""

    def loop(seed: np.uint64, us: Array, vs: Array, thickness: Array) -> None:
        _ = stamp
        for row in range(us.shape[0]):
            for col in range(us.shape[1]):
                u, v = us[row, col], vs[row, col]
                total = 0.60 * swell(seed, u / 1700.0, v / 1700.0, 1) + 0.28 * swell(seed, u / 640.0, v / 640.0, 2)
                total += 0.13 * swell(seed, u / 230.0, v / 230.0, 3) + 0.07 * swell(seed, u / 85.0, v / 85.0, 4)
                thickness[row, col] = total

    return loop
