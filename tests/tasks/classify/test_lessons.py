"""What a labeller is shown: squares of pictures, features that are kept, lessons that leave nothing to their order."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from arpent.core import Normalisation
from arpent.data import Share
from arpent.errors import InvalidSetting, UnreadableFile
from arpent.metrics import Labelled
from arpent.models import build
from arpent.tasks.classify.dataset import Dataset
from arpent.tasks.classify.features import Looks, features_of
from arpent.tasks.classify.lessons import Lessons, Shown
from arpent.tasks.classify.mending import mend
from arpent.tasks.classify.pixels import Squares, measured
from arpent.tasks.classify.tempering import temperature, thresholds

RULE = Normalisation(origin="bytes to -1…1", scale=1 / 127.5, mean=(1.0,) * 3, std=(1.0,) * 3)


class Mean(nn.Module):
    """An encoder whose features are the means of the bands, and which counts what it is shown."""

    num_features = 3

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(1))
        self.seen = 0

    def forward_features(self, images):
        self.seen += len(images)
        return images * self.scale

    def forward_head(self, maps, *, pre_logits):
        assert pre_logits
        return maps.mean((2, 3))

    def forward(self, images):
        return self.forward_head(self.forward_features(images), pre_logits=True)


@pytest.fixture
def dataset(red_or_striped):
    return Dataset.read(red_or_striped)


def lessons(dataset, **changes):
    train = dataset.of_split("train")
    given = {"pictures": train, "shown": Shown(coder=dataset.vocabulary), "batch_size": 16, "seed": 2, **changes}
    return Lessons(**given)


def test_any_picture_becomes_a_square(tmp_path) -> None:
    for name, shape in (("wide.png", (40, 90, 3)), ("small.png", (3, 5, 3)), ("same.png", (32, 32, 3))):
        pixels = np.zeros(shape, np.uint8)
        pixels[..., 2] = 255  # red: OpenCV writes blue first
        cv2.imwrite(str(tmp_path / name), pixels)
        square = Squares(32, RULE).read(tmp_path / name)
        assert square.shape == (3, 32, 32)
        assert square.dtype == np.float32
        np.testing.assert_allclose(square.mean((1, 2)), (1, -1, -1), atol=1e-6)


def test_statistics_bring_bands_to_mean_0_and_deviation_1(dataset) -> None:
    paths = [one.path for one in dataset.of_split("train")]
    rule = measured(Squares(32, None), paths, "these")
    squares = np.stack([Squares(32, rule).read(path) for path in paths])
    np.testing.assert_allclose(squares.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(squares.std((0, 2, 3)), 1, atol=1e-5)


def test_features_are_made_once_and_kept_by_content_and_encoder(dataset, tmp_path) -> None:
    encoder, pictures = Mean(), dataset.of_split("train")
    looks = Looks(encoder, Squares(32, RULE), parts=True, device="cpu")
    first = features_of(pictures[:10], looks, tmp_path)
    assert encoder.seen == 10
    again = features_of(pictures[:12], looks, tmp_path)
    assert encoder.seen == 12  # the two new ones
    assert torch.equal(first.of(pictures[:10]), again.of(pictures[:10]))
    square = torch.from_numpy(looks.squares.read(pictures[0].path))
    for view, part in enumerate(
        (square, square[:, :24, :24], square[:, :24, 8:], square[:, 8:, :24], square[:, 8:, 8:])
    ):
        torch.testing.assert_close(again.of(pictures[:1], [view])[0], part.mean((1, 2)))
    assert again.views == 5
    other = Mean()
    other.scale.fill_(2)
    assert replace(looks, encoder=other).key() != looks.key()
    assert replace(looks, squares=Squares(64, RULE)).key() != looks.key()
    assert replace(looks, encoder=Mean()).key() == looks.key()


def test_features_of_many_pictures_are_not_written_down_again_and_again(dataset, tmp_path, monkeypatch) -> None:
    from arpent.tasks.classify import features

    written = []
    monkeypatch.setattr(features, "_KEPT_EVERY", 1)
    monkeypatch.setattr(features, "_keep", lambda _, values: written.append(len(values)))
    looks = Looks(Mean(), Squares(32, RULE), device="cpu")
    pictures = dataset.of_split("train")[:40]
    features_of(pictures, looks, tmp_path)
    assert written[-1] == 40
    assert len(written) < 20


def test_padding_is_part_of_what_an_encoder_is() -> None:
    keys = set()
    for padding in ("same", "symmetric"):
        torch.manual_seed(0)
        keys.add(Looks(build("timm", {"padding": padding}), Squares(32, RULE)).key())
    assert len(keys) == 2


def test_damaged_features_are_named(dataset, tmp_path) -> None:
    looks = Looks(Mean(), Squares(32, RULE), device="cpu")
    (tmp_path / f"{looks.key()}.parquet").write_bytes(b"nothing")
    with pytest.raises(UnreadableFile, match="Delete it: features are made again"):
        features_of(dataset.of_split("train"), looks, tmp_path)


def test_an_epoch_depends_on_its_number_alone(dataset) -> None:
    learnt = lessons(dataset, absent=0.5)
    one, other = list(learnt.epoch(3)), list(lessons(dataset, absent=0.5).epoch(3))
    late = list(learnt.epoch(3, start=2))
    for mine, again in zip([*one, *one[2:]], [*other, *late], strict=True):
        assert mine["names"] == again["names"]
        assert torch.equal(mine["words"], again["words"])
        assert torch.equal(mine["present"], again["present"])
    assert [batch["names"] for batch in learnt.epoch(4)] != [batch["names"] for batch in one]
    assert len(one) == learnt.steps(3)


def test_every_caption_is_read_once_in_an_epoch(dataset) -> None:
    batches = list(lessons(dataset).epoch(0))
    names = [name for batch in batches for name in batch["names"]]
    captions = {one.name: max(1, len(one.captions)) for one in dataset.of_split("train")}
    assert {name: names.count(name) for name in set(names)} == captions
    rows = [tuple(row.tolist()) for batch in batches for row in batch["words"]]
    expected = [
        tuple(dataset.vocabulary.codes(text).ids.tolist())
        for one in dataset.of_split("train")
        for text in one.captions or ("",)
    ]
    assert sorted(rows) == sorted(expected)


def test_where_pictures_are_judged_each_comes_once_with_its_first_caption(dataset) -> None:
    judged = Lessons(dataset.of_split("val"), Shown(coder=dataset.vocabulary), 4)
    batches = list(judged.epoch(0))
    assert [name for batch in batches for name in batch["names"]] == [one.name for one in dataset.of_split("val")]
    first = dataset.of_split("val")[0]
    assert batches[0]["words"][0].tolist() == dataset.vocabulary.codes(first.captions[0]).ids.tolist()
    assert [len(batch["names"]) for batch in batches] == [4, 4, 2]


def test_one_of_both_is_lost_as_often_as_asked_and_never_both(dataset, tmp_path) -> None:
    looks = Looks(Mean(), Squares(32, RULE), device="cpu")
    features = features_of(dataset.of_split("train"), looks, tmp_path)
    learnt = lessons(dataset, shown=Shown(features=features, coder=dataset.vocabulary), absent=0.4, times=2)
    present = torch.cat([batch["present"] for number in range(12) for batch in learnt.epoch(number)])
    assert present.any(1).all()
    # One of the forty has no caption: that one never loses its picture.
    assert 0.1 < 1 - present[:, 0].float().mean() < 0.3
    assert 0.1 < 1 - present[:, 1].float().mean() < 0.35
    judged = Lessons(dataset.of_split("train"), learnt.shown, 16)
    assert torch.cat([batch["present"] for batch in judged.epoch(0)])[:, 0].all()


def test_a_caption_of_words_that_are_not_known_is_none(dataset) -> None:
    strange = [replace(one, captions=("une photographie",)) for one in dataset.of_split("val")]
    batch = next(Lessons(strange, Shown(coder=dataset.vocabulary), 16).epoch(0))
    assert (batch["words"] > 0).any()
    assert not batch["present"].any()


def test_processes_share_a_batch(dataset) -> None:
    learnt = lessons(dataset, absent=0.5, batch_size=10)
    whole = next(learnt.epoch(0))
    parts = [next(learnt.epoch(0, share=Share(rank, 3))) for rank in range(3)]
    for rank, part in enumerate(parts):
        assert part["names"] == whole["names"][rank::3]
        assert torch.equal(part["present"], whole["present"][rank::3])
    assert [list(part["part"].own) for part in parts] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    with pytest.raises(InvalidSetting, match="shared out"):
        next(lessons(dataset, batch_size=2).epoch(0, share=Share(0, 3)))


def test_a_temperature_undoes_what_made_scores_too_sure() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 3))
    truth = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    assert temperature(logits * 2.5, truth) == pytest.approx(2.5, rel=0.08)
    assert temperature(np.zeros((0, 3)), np.zeros((0, 3))) == 1.0


def test_thresholds_lie_where_f1_is_high_and_stay_at_a_half_without_evidence() -> None:
    rng = np.random.default_rng(1)
    chances = np.column_stack([rng.beta(0.4, 1.6, 800), rng.random(800) * 0.05])
    truth = rng.random(chances.shape) < chances
    truth[:, 1] = False
    cuts = thresholds(chances, truth)
    assert 0.2 < cuts[0] < 0.45  # rare labels are given sooner than at a half
    best, half = (Labelled(chances[:, :1], truth[:, :1], cut).micro_f1() for cut in (cuts[:1], 0.5))
    assert best > half
    assert 0.1 <= cuts[1] <= 0.9


def test_what_labels_say_of_one_another_is_found_where_they_do() -> None:
    rng = np.random.default_rng(3)
    truth = (rng.random((300, 3)) < 0.4).astype(np.uint8)
    truth[:, 2] = truth[:, 0] & truth[:, 1]
    scores = np.where(truth, 1.0, -1.0) + rng.normal(0, 0.8, truth.shape)
    scores[:, 2] = rng.normal(-1, 0.2, 300)  # nothing of the third is seen, and the other two tell it
    found = mend(np.hstack([scores, np.zeros_like(scores)]), scores, truth)
    assert found.weights.shape == (7, 3)
    assert found.weights[:2, 2].min() > 0.3 and not found.weights[3:6].any()
    told = Labelled(1 / (1 + np.exp(-found.scores)), truth).mean_average_precision()
    assert told > Labelled(1 / (1 + np.exp(-scores)), truth).mean_average_precision() + 0.1
    apart = rng.permuted(truth, axis=0)
    sure = np.where(apart, 4.0, -4.0)
    assert np.abs(mend(scores, sure, apart).weights[:3]).max() < 0.05, "what is known needs no mending"
    few = mend(scores[:4], scores[:4], truth[:4])
    assert not few.weights.any() and np.array_equal(few.scores, scores[:4])
