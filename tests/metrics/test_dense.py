from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score, precision_score, recall_score

from arpent.core import nomenclature
from arpent.errors import InvalidSetting
from arpent.metrics import ConfusionMatrix, DomainMatrices

labels = hnp.arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 4))


@given(labels, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=50)
def test_scores_agree_with_an_independent_implementation(truth, random):
    guess = np.array([random.choice([int(t), random.randrange(5)]) for t in truth])
    matrix = ConfusionMatrix(5)
    matrix.update(truth, guess)
    present = np.unique(truth)
    told = {"labels": present, "average": "macro", "zero_division": 0}
    scores = matrix.scores()
    assert np.array_equal(matrix.counts, confusion_matrix(truth, guess, labels=range(5)))
    assert scores.accuracy == pytest.approx((truth == guess).mean())
    assert scores.miou == pytest.approx(jaccard_score(truth, guess, **told))
    assert scores.f_score == pytest.approx(f1_score(truth, guess, **told))
    assert scores.precision == pytest.approx(precision_score(truth, guess, **told))
    assert scores.recall == pytest.approx(recall_score(truth, guess, **told))


@given(st.lists(labels, min_size=1, max_size=5), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_merging_parts_equals_counting_at_once(parts, seed):
    rng = np.random.default_rng(seed)
    guesses = [rng.integers(0, 5, part.shape) for part in parts]
    whole, merged = ConfusionMatrix(5), ConfusionMatrix(5)
    whole.update(np.concatenate(parts), np.concatenate(guesses))
    for part, guess in zip(reversed(parts), reversed(guesses), strict=True):
        one = ConfusionMatrix(5)
        one.update(part, guess)
        merged = one + merged
    assert merged == whole


def test_absent_classes_are_excluded_or_count_as_zero():
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]))
    assert matrix.scores("exclude").miou == pytest.approx((1 + 0.5) / 2)
    assert matrix.scores("zero").miou == pytest.approx((1 + 0.5 + 0) / 3)
    assert np.isnan(matrix.scores("exclude").iou_by_class[2])
    assert matrix.scores("zero").iou_by_class[2] == 0


def test_classes_left_out_are_not_judged_but_attract_errors():
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 0, 0, 2, 2]), np.array([0, 0, 2, 0, 2]))
    scores = matrix.scores(leave_out=[2])
    assert scores.accuracy == pytest.approx(2 / 3)
    assert scores.iou_by_class[0] == pytest.approx(2 / 3)
    assert np.isnan(scores.iou_by_class[2])


def test_ignored_pixels_do_not_count_whatever_was_predicted_there():
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([[-1, 0], [1, -1]]), np.array([[77, 0], [1, -5]]))
    assert matrix.total == 2
    matrix.update(np.array([-1, -1]), np.array([0, 1]))
    assert matrix.total == 2
    assert matrix.scores().accuracy == 1


def test_nothing_counted_gives_nan_and_no_warning():
    scores = ConfusionMatrix(4).scores()
    assert all(np.isnan(value) for value in scores.summary().values())


def test_tensors_and_arrays_of_any_integer_type_count_alike():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(-1, 5, (2, 30, 40)), rng.integers(0, 5, (2, 30, 40))
    arrays, tensors, bytes_ = (ConfusionMatrix(nomenclature("commune").keep([1, 3, 4, 5, 6], "x")) for _ in range(3))
    arrays.update(truth, guess)
    tensors.update(torch.from_numpy(truth), torch.from_numpy(guess))
    bytes_.update(truth.astype(np.int16), torch.from_numpy(guess.astype(np.uint8)))
    assert arrays == tensors == bytes_
    assert arrays.total == (truth >= 0).sum()


def test_many_classes_in_small_integers_do_not_wrap():
    matrix = ConfusionMatrix(200)
    matrix.update(np.full(10, 199, np.uint8), np.full(10, 198, np.uint8))
    assert matrix.counts[199, 198] == 10


def test_metrics_do_not_import_torch():
    import subprocess

    code = "import sys, arpent.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("truth", "guess", "said"),
    [
        ([0, 1], [0], "differ in size"),
        ([0, 3], [0, 0], "outside the nomenclature"),
        ([0, 1], [0, -2], "outside the nomenclature"),
        ([0.0, 1.0], [0, 1], "counts class indices"),
    ],
)
def test_labels_that_cannot_be_counted_are_refused(truth, guess, said):
    with pytest.raises(InvalidSetting, match=said):
        ConfusionMatrix(3).update(np.array(truth), np.array(guess))


def test_matrices_of_other_sizes_are_refused():
    with pytest.raises(InvalidSetting, match="cannot be merged"):
        ConfusionMatrix(3).merge(ConfusionMatrix(2))
    with pytest.raises(InvalidSetting, match="do not fit"):
        ConfusionMatrix(3, np.zeros((2, 2), int))
    with pytest.raises(InvalidSetting, match="at least one class"):
        ConfusionMatrix(0)
    with pytest.raises(InvalidSetting, match="absent"):
        ConfusionMatrix(2, np.eye(2, dtype=int)).scores("drop")


def test_counts_survive_json():
    matrix = ConfusionMatrix(2, np.array([[3, 1], [0, 9]]))
    assert ConfusionMatrix(2, np.array(matrix.to_list())) == matrix


def _domains(count: int) -> DomainMatrices:
    rng = np.random.default_rng(3)
    domains = DomainMatrices(3)
    for number in range(count):
        truth = rng.integers(0, 3, 500)
        guess = np.where(rng.random(500) < 0.05 * number, rng.integers(0, 3, 500), truth)
        domains.update(truth, guess, f"D{number:03}")
    return domains


def test_intervals_over_domains_are_seeded_and_around_the_value():
    intervals = _domains(8).intervals(draws=500)
    assert intervals == _domains(8).intervals(draws=500)
    assert intervals != _domains(8).intervals(draws=500, seed=1)
    for interval in intervals.values():
        assert interval.low < interval.value < interval.high


def test_intervals_of_equal_domains_have_no_width():
    domains = DomainMatrices(2)
    for name in "abc":
        domains.update(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), name)
    interval = domains.intervals(draws=50)["miou"]
    assert interval.low == pytest.approx(interval.high) == pytest.approx(interval.value)


def test_one_domain_gives_no_interval():
    interval = _domains(1).intervals()["accuracy"]
    assert interval.value == 1
    assert np.isnan(interval.low)


def test_domains_merge_and_add_up():
    domains = _domains(3)
    total = domains.total().total
    merged = DomainMatrices(3).merge(domains).merge(_domains(4))
    assert list(merged.by_domain) == ["D000", "D001", "D002", "D003"]
    assert merged.total().total == total + 4 * 500
