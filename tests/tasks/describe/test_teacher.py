"""Lessons: what is told in words, what is shown, and what of both the answer is to follow."""

import datetime as dt

import numpy as np
import pytest

from arpent.language import Measured
from arpent.models.language_model import Speech, train_tokenizer
from arpent.tasks.describe.coding import Code
from arpent.tasks.describe.examples import Example, Key
from arpent.tasks.describe.lessons import Lesson
from arpent.tasks.describe.sequences import facts_of
from arpent.tasks.describe.teacher import Teacher
from arpent.tasks.describe.train_settings import DescribeTrainSettings

CODE = Code.of(8, 0.02)


def _example(number: int) -> Example:
    key = Key(f"p{number}", "home", "image", dt.date(2021, 7, number + 1))
    measured = Measured(key.parcel, {"NDVI": number / 10}, taken=key.taken)
    return Example(key, measured, np.full((4, 3), number, np.float16), {"en": [f"NDVI of 0.{number}0."]})


EXAMPLES = [_example(number) for number in range(8)]


@pytest.fixture(scope="module")
def speech() -> Speech:
    return train_tokenizer(["Measured: NDVI 0.10 low. Describe the parcel."] * 4, 300)


def _lessons(speech: Speech, grounded: float) -> list[Lesson]:
    settings = DescribeTrainSettings(table="t", captions="c", embeddings="e", grounded=grounded)
    made = Teacher(settings, speech, CODE, 4).of(EXAMPLES, count=40)
    return [made._make(0, place) for place in range(40)]


def _of(lesson: Lesson) -> tuple[int, int]:
    """Numbers of the examples that a lesson speaks of and shows."""
    assert lesson.visual is not None
    return int(lesson.name[1]), int(lesson.visual[0, 0])


def test_beside_numbers_that_are_told_another_parcel_is_shown(speech: Speech) -> None:
    """So that nothing but the words can be believed; what the adapter learns to write is what is shown."""
    pairs = []
    for lesson in _lessons(speech, 1.0):
        spoken, shown = _of(lesson)
        pairs.append(spoken == shown)
        assert facts_of(EXAMPLES[spoken].measured, "en") in speech.tokenizer.decode(lesson.dialogue.prompt)
        assert f"NDVI of 0.{spoken}0." in speech.text(lesson.dialogue.answer)
        assert lesson.measured is not None
        assert np.array_equal(lesson.measured, CODE.numbers(EXAMPLES[shown].measured), equal_nan=True)
    assert sum(pairs) < len(pairs) / 3


def test_where_the_image_alone_tells_it_is_the_parcels_own(speech: Speech) -> None:
    for lesson in _lessons(speech, 0.0):
        spoken, shown = _of(lesson)
        assert spoken == shown
        assert "Measured" not in speech.tokenizer.decode(lesson.dialogue.prompt)
