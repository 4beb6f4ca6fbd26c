"""Tile shapes of every kind, for Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from arpent.tiling import TileShape

__all__ = ["tile_shapes"]


@st.composite
def tile_shapes(draw: st.DrawFn) -> TileShape:
    """A shape that is legal and small, so that images of a hundred pixels have many tiles."""
    quantum = draw(st.sampled_from([1, 1, 2, 4]))
    align = quantum * draw(st.sampled_from([1, 2, 4]))
    ring = quantum * draw(st.integers(0, 4))
    halo = quantum * draw(st.integers(0, 4))
    least = -(-(2 * (ring + halo) + align) // align)
    least = max(least, 16 // align)  # smaller tiles only make tests slow
    size = align * draw(st.integers(least, least + 16))
    return TileShape(size=size, ring=ring, halo=halo, align=align, quantum=quantum, fixed=draw(st.booleans()))
