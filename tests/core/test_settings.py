from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from arpent.core import Settings, parse, settings_of
from arpent.errors import InvalidSetting, UnknownSetting


class Lens(Settings):
    """A lens."""

    focal: Annotated[float, Field(gt=0)] = 35.0
    """Focal length in millimetres."""


class Film(Settings):
    """A film."""

    kind: Literal["film"] = "film"
    speed: int = 100


class Chip(Settings):
    """A chip."""

    kind: Literal["chip"] = "chip"
    pixels: int = 12


class Camera(Settings):
    """A camera."""

    name: str
    """What is engraved on it."""
    lens: Lens = Lens()
    spare: Lens | None = None
    bag: tuple[Lens, ...] = ()
    medium: Annotated[Film | Chip, Field(discriminator="kind")] = Film()
    weight: float = 1.0


def test_every_leaf_is_known_with_its_help() -> None:
    leaves = {leaf.path: leaf for leaf in settings_of(Camera)}
    assert list(leaves) == ["name", "lens.focal", "spare.focal", "bag", "medium", "weight"]
    assert leaves["lens.focal"].help == "Focal length in millimetres."
    assert leaves["lens.focal"].default == 35.0
    assert leaves["name"].required
    assert leaves["name"].default is None
    assert leaves["bag"].help == ""


def test_good_settings_become_a_frozen_model() -> None:
    camera = parse(Camera, {"name": "x", "lens": {"focal": "50"}, "bag": [{"focal": 24}]}, "here")
    assert camera.lens.focal == 50.0
    assert camera.bag[0].focal == 24.0
    with pytest.raises(ValidationError):
        camera.weight = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("mapping", "line"),
    [
        ({"nam": "x"}, "c.yaml has no setting 'nam'. Did you mean 'name'? 1 more to correct after that."),
        (
            {"name": "x", "qqqq": 1},
            "c.yaml has no setting 'qqqq'. Known settings: bag, lens, medium, name, spare, weight.",
        ),
        ({"name": "x", "lens": {"fokal": 1}}, "c.yaml (lens) has no setting 'fokal'. Did you mean 'focal'?"),
        ({"name": "x", "spare": {"fokal": 1}}, "c.yaml (spare) has no setting 'fokal'. Did you mean 'focal'?"),
        ({"name": "x", "bag": [{}, {"fokal": 1}]}, "c.yaml (bag.1) has no setting 'fokal'. Did you mean 'focal'?"),
        ({"name": "x", "focal": 1}, "c.yaml has no setting 'focal'. Did you mean 'lens.focal'?"),
        (
            {"name": "x", "medium": {"kind": "chip", "pixel": 1}},
            "c.yaml (medium) has no setting 'pixel'. Did you mean 'pixels'?",
        ),
    ],
)
def test_a_misspelt_key_is_told_with_the_right_one(mapping: dict[str, Any], line: str) -> None:
    with pytest.raises(UnknownSetting) as caught:
        parse(Camera, mapping, "c.yaml")
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("mapping", "parts"),
    [
        ({}, ["c.yaml lacks the setting 'name'", "Give 'name' (What is engraved on it)."]),
        ({"name": 3}, ["'name'", "found 3", "expected text"]),
        ({"name": "x", "lens": {"focal": -1}}, ["'lens.focal'", "found -1", "expected more than 0", "(Focal length"]),
        ({"name": "x", "bag": [{}, {"focal": 0}]}, ["'bag.1.focal'", "found 0"]),
        ({"name": "x", "lens": 3}, ["'lens'", "expected a group of settings"]),
        ({"name": "x", "medium": {"kind": "slate"}}, ["'medium'", "'film', 'chip'"]),
        ({"name": "x", "weight": float("nan")}, ["'weight'", "found nan", "finite"]),
        ({"name": "x", "weight": "y" * 500}, ["…"]),
    ],
)
def test_a_bad_value_is_told_with_what_was_found_and_expected(mapping: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(InvalidSetting) as caught:
        parse(Camera, mapping, "c.yaml")
    line = str(caught.value)
    assert all(part in line for part in parts), line
    assert len(line) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["name", "lens", "spare", "bag", "medium", "weight", "focal", "lenz"])


@given(st.dictionaries(KEYS | st.text(max_size=5), JSON, max_size=4))
def test_whatever_comes_in_an_answer_of_ours_comes_out(mapping: dict[str, Any]) -> None:
    try:
        camera = parse(Camera, mapping, "c.yaml")
    except (InvalidSetting, UnknownSetting) as error:
        assert error.cure
        assert str(error).startswith("c.yaml")
    else:
        assert parse(Camera, camera.model_dump(mode="json"), "again") == camera


def test_a_model_without_a_place_for_the_problem() -> None:
    with pytest.raises(InvalidSetting, match=r"c\.yaml cannot be used"):

        class Pair(Settings):
            """Two numbers, the first the smaller."""

            low: int = 0
            high: int = 1

            def model_post_init(self, context: object, /) -> None:
                if self.low > self.high:
                    raise ValueError("low at most high")

        parse(Pair, {"low": 3}, "c.yaml")


class Tripod(Settings):
    """A tripod."""

    legs: int = 3
    height: float = 1.5


class Mount(Settings):
    """A mount."""

    tripod: Tripod = Tripod()
    weight: float = 2.0


class Studio(Settings):
    """Declares defaults of its own for groups that have others by themselves."""

    lens: Lens = Lens(focal=85.0)
    mount: Mount = Mount(tripod=Tripod(height=2.0))


def test_a_group_given_in_part_keeps_the_default_of_its_holder() -> None:
    assert parse(Studio, {}, "here").mount.tripod == Tripod(legs=3, height=2.0)
    assert parse(Studio, {"mount": {"tripod": {"legs": 4}}}, "here").mount.tripod == Tripod(legs=4, height=2.0)
    assert parse(Studio, {"mount": {"weight": 1}}, "here").mount == Mount(tripod=Tripod(height=2.0), weight=1.0)
    assert parse(Studio, {"lens": {}}, "here").lens.focal == 85.0
    assert parse(Studio, {"lens": {"focal": 20}}, "here").lens.focal == 20.0


def test_the_defaults_that_are_told_are_those_of_the_holder() -> None:
    told = {leaf.path: leaf.default for leaf in settings_of(Studio)}
    assert told == {"lens.focal": 85.0, "mount.tripod.legs": 3, "mount.tripod.height": 2.0, "mount.weight": 2.0}


class Shelf(Settings):
    """Settings that may be of one kind or another."""

    dates: Annotated[tuple[date, ...], Field(min_length=1)] | Annotated[int, Field(ge=1)] = 1
    scale: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] | None = None
    shares: Literal["even"] | Mapping[str, Annotated[float, Field(gt=0)]] = "even"
    boxes: tuple[Film | Chip, ...] = ()
    codes: Mapping[str, int | tuple[int, ...]] = {}
    days: Annotated[tuple[date, ...], Field(min_length=1)] = (date(2021, 6, 20),)
    pair: tuple[str, str] = ("a", "b")
    words: tuple[str, ...] = ()
    kinds: frozenset[Literal["film", "chip"]] | None = None


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"dates": ["2022-13-01"]}, "'dates.0' cannot be used (found '2022-13-01'; expected a day such as 2024-03-01)"),
        ({"dates": ["2022-12-01", "x"]}, "'dates.1' cannot be used (found 'x'; expected a day such as 2024-03-01)"),
        ({"dates": 0}, "'dates' cannot be used (found 0; expected 1 or more)"),
        ({"dates": []}, "'dates' cannot be used (found []; expected at least 1 value)"),
        ({"dates": "x"}, "'dates' cannot be used (found 'x'; expected a list or a whole number)"),
        ({"days": ["2022-13-01"]}, "'days.0' cannot be used (found '2022-13-01'; expected a day such as 2024-03-01)"),
        ({"scale": "wide"}, "'scale' cannot be used (found 'wide'; expected a number or 'auto')"),
        ({"scale": 2}, "'scale' cannot be used (found 2; expected 1 or less)"),
        ({"shares": {"a": 1, "b": -1}}, "'shares.b' cannot be used (found -1; expected more than 0)"),
        ({"shares": 3}, "'shares' cannot be used (found 3; expected 'even' or a group of settings)"),
        ({"boxes": [{}, 3]}, "'boxes.1' cannot be used (found 3; expected a group of settings)"),
        ({"boxes": [{"kind": "film", "speed": "x"}]}, "'boxes.0.speed' cannot be used (found 'x'; expected a whole"),
        ({"codes": {"a": [1, "x"]}}, "'codes.a.1' cannot be used (found 'x'; expected a whole number)"),
    ],
)
def test_a_value_that_fits_no_branch_of_a_union_is_one_mistake(mapping: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        parse(Shelf, mapping, "c.yaml")
    line = str(caught.value)
    assert line.startswith(f"c.yaml: the value of {told}")
    assert "more to correct" not in line


def test_two_mistakes_in_a_union_are_two() -> None:
    with pytest.raises(InvalidSetting, match=r"'dates\.0'.*1 more to correct after that\.$"):
        parse(Shelf, {"dates": ["2022-13-01", "2022-14-01"]}, "c.yaml")


def test_a_list_of_words_may_be_given_as_the_command_line_takes_it() -> None:
    shelf = parse(Shelf, {"words": "cloud", "kinds": "film, chip"}, "c.yaml")
    assert shelf.words == ("cloud",)
    assert sorted(shelf.kinds or ()) == ["chip", "film"]
    assert parse(Shelf, {"words": "cloud,shadow"}, "c.yaml").words == ("cloud", "shadow")


@pytest.mark.parametrize("mapping", [{"pair": "ab"}, {"days": "2022-12-01"}, {"boxes": "film"}])
def test_other_lists_are_given_as_lists(mapping: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting):
        parse(Shelf, mapping, "c.yaml")
