"""Planaura with a change head: what it answers, and that the rest of the network is as before."""

import pytest
import torch

from arpent.models import INVALID, MISSING, build

SHAPE = {
    "channels": 2,
    "image_size": 16,
    "patch": 4,
    "width": 16,
    "depth": 1,
    "heads": 2,
    "decoder_width": 16,
    "decoder_depth": 1,
    "decoder_heads": 2,
}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build("planaura-change", {**SHAPE, "head_width": 8}).eval()


def images(frames=2, side=16, seed=0):
    return torch.randn(2, 2, frames, side, side, generator=torch.Generator().manual_seed(seed))


def test_it_says_for_each_pixel_how_likely_it_changed(network):
    x = images()
    x[0, 0, 1, 3, 5] = MISSING
    with torch.inference_mode():
        answer = network(x)
    assert answer.change.shape == (2, 16, 16) and answer.change.dtype == torch.float32
    assert (answer.change == INVALID).sum() == 1 and answer.change[0, 3, 5] == INVALID
    assert answer.change[answer.change != INVALID].abs().max() <= 30


def test_the_rest_of_the_answer_is_that_of_the_plain_network(network):
    plain = build("planaura", SHAPE).eval()
    plain.load_state_dict({name: t for name, t in network.state_dict().items() if not name.startswith("head.")})
    x = images()
    with torch.inference_mode():
        for options in ({}, {"stride": 2}, {"attention": False}, {"reconstruct": True}, {"dims": (1,)}):
            one, other = plain(x, **options), network(x, **options)
            assert one.change is None
            for name in ("features", "cosine", "which_before", "reconstruction"):
                first, second = getattr(one, name), getattr(other, name)
                assert (first is None and second is None) or torch.equal(first, second)


def test_change_does_not_depend_on_the_stride_of_the_cosines(network):
    x = images()
    with torch.inference_mode():
        assert torch.equal(network(x).change, network(x, stride=1, dims=()).change)


def test_one_date_has_no_change(network):
    with torch.inference_mode():
        assert network(images(frames=1)).change is None


def test_of_two_dates_before_the_one_most_like_the_last_counts():
    network = build("planaura-change", {**SHAPE, "frames": 3, "head_width": 8}).eval()
    with torch.inference_mode():
        x = images(frames=3)
        tokens = torch.randn(2, 3, 4, 4, 16)
        missing = torch.zeros(2, 16, 16, dtype=torch.bool)
        head = network.head
        both = head(x, tokens, missing)
        each = [head(x[:, :, [k, 2]], tokens[:, [k, 2]], missing) for k in (0, 1)]
    assert torch.allclose(both, torch.minimum(*each), atol=1e-6)


def test_sides_that_are_no_multiple_of_the_patch(network):
    with torch.inference_mode():
        assert network(images(side=18)).change.shape == (2, 18, 18)


def test_swapping_pixels_far_apart_leaves_the_kernels_view_local(network):
    x = images()
    tokens = torch.zeros(2, 2, 4, 4, 16)
    missing = torch.zeros(2, 16, 16, dtype=torch.bool)
    with torch.inference_mode():
        before = network.head(x, tokens, missing)
        x[:, :, :, 15, 15] += 1
        after = network.head(x, tokens, missing)
    moved = (before != after).nonzero()[:, 1:]
    assert moved.min() >= 15 - 5 and len(moved)
