"""What failures mean, for readers of either language."""

import ast
import inspect
from pathlib import Path
from typing import get_args

import pytest
from django.test import Client

from arpent import errors
from arpent.errors import ArpentError, LossNotFinite, UnknownName
from arpent.language import keys
from arpent.web.problems import Other, problem_of

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, ArpentError)]
BELOW = ("core", "io", "pixels", "language", "metrics", "store", "web")
"""The rooms that an answer of the map may come from."""


def test_every_error_that_the_map_can_meet_has_a_phrase_of_its_own(root: Path) -> None:
    sources = [path for room in BELOW for path in (root / "src" / "arpent" / room).rglob("*.py")]
    imported = {
        alias.name
        for path in sources
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "arpent.errors"
        for alias in node.names
    }
    met = [one for one in CLASSES if one.__name__ in imported]
    assert len(met) > 15
    phrases = {one: problem_of(one).fr for one in met}
    assert len(set(phrases.values())) == len(met), "each has another"


def test_every_error_means_something_and_no_phrase_is_idle() -> None:
    names = {one.__name__ for one in CLASSES} | set(get_args(Other))
    for one in (*CLASSES, *get_args(Other)):
        problem = problem_of(one)
        assert problem.name in names
        assert problem.en and problem.fr and problem.en != problem.fr
    assert problem_of(LossNotFinite).fr == problem_of(errors.TrainingError).fr != problem_of(ArpentError).fr
    written = {
        "".join(part.title() for part in key.split(".")[1].split("_")) for key in keys() if key[:8] == "problem."
    }
    assert written <= names


@pytest.mark.parametrize(
    ("address", "status", "name"),
    [
        ("/api/features/999999999", 404, UnknownName.__name__),
        ("/tiles/1/2/3/4/5.png", 404, UnknownName.__name__),
        ("/api/point?lat=99&lon=0&layers=1", 422, "BadRequest"),
        ("/api/nix", 404, "NoSuchAddress"),
    ],
)
def test_programs_are_told_the_class(registered: dict[str, int], address: str, status: int, name: str) -> None:
    answer = Client().get(address)
    assert answer.status_code == status
    document = answer.json()
    assert document["class"] == name
    assert set(document["means"]) == {"en", "fr"}


def test_an_address_where_nothing_is_speaks_the_language_of_its_reader(registered: dict[str, int]) -> None:
    french = Client().get("/nix", headers={"Accept-Language": "fr"})
    assert french.status_code == 404
    assert french.content.decode().startswith("404 – Il n’y a rien à cette adresse.\nThere is nothing")
    assert Client().get("/nix").content.decode().startswith("404 – There is nothing at this address.\nGo back")
