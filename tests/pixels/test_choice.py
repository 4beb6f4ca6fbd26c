import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arpent.pixels import highest

shapes = st.tuples(st.integers(1, 20), st.integers(1, 9), st.integers(1, 9))


@given(shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=st.integers(-3, 3).map(float))))
def test_the_highest_map_is_that_of_numpy_ties_included(scores):
    assert (highest(scores) == scores.argmax(axis=0)).all()


def test_parts_of_larger_arrays_and_many_maps_are_taken_too():
    scores = np.random.default_rng(0).normal(size=(300, 20, 30)).astype(np.float32)
    assert (highest(scores) == scores.argmax(axis=0)).all()
    part = scores[:200, 2:9, ::2]
    assert (highest(part) == part.argmax(axis=0)).all()
