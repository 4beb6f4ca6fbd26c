"""The status page: every row of every spec, with a state, and a test that exists for each that is claimed."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

# How many rows the specs have: the numbered ones of "must work", and the further sections.
EXPECTED = {
    "House": [str(n) for n in range(1, 12)],
    "House: what must be shown": [str(n) for n in range(1, 6)],
    "Land cover": [*(f"A2.{n}" for n in range(1, 14)), "A3", "A4", "A5"],
    "Change": [*(f"A2.{n}" for n in range(1, 11)), "A3", "A4", "A5"],
    "Forecast": [*(f"A2.{n}" for n in range(1, 9)), "A3", "A4"],
    "Describe": [*(f"A2.{n}" for n in range(1, 13)), "A3", "A4", "A5", "A6"],
    "Classify": [*(f"A2.{n}" for n in range(1, 9)), "A3", "A4", "A5"],
    "Map": [*(f"A3.{n}" for n in range(1, 12)), "A4", "A5", "A6"],
    "Beyond one machine": [str(n) for n in range(1, 7)],
    "Beyond one machine: what must be shown": [str(n) for n in range(1, 6)],
    "One product": [str(n) for n in range(1, 8)],
    "One product: what must be shown": [str(n) for n in range(1, 4)],
}
STATES = {"done", "missed", "partly", "open"}


@dataclass(frozen=True)
class Row:
    section: str
    number: str
    what: str
    state: str
    proof: str


@pytest.fixture(scope="module")
def rows(root: Path) -> list[Row]:
    found, section = [], ""
    for line in (root / "docs" / "status.md").read_text("utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ").strip()
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[0] not in {"row", "---"}:
            found.append(Row(section, *cells))
    return found


@pytest.mark.parametrize("section", EXPECTED)
def test_every_row_of_the_spec_is_there(rows: list[Row], section: str) -> None:
    assert [row.number for row in rows if row.section == section] == EXPECTED[section]


def test_states_are_known_words(rows: list[Row]) -> None:
    assert {row.state for row in rows} <= STATES


def test_what_is_claimed_has_its_test(rows: list[Row], root: Path) -> None:
    """A row that is not open names tests; they exist, and so do the benchmarks beside them, which are no tests."""
    for row in rows:
        named = re.findall(r"`([\w/.\-]+\.py)(?:::(\w+))?`", row.proof)
        tests = [one for one in named if not one[0].startswith("bench/")]
        if row.state == "open":
            assert re.search(r"issue \d+", row.proof), f"{row.section} {row.number}: which issue will do it?"
            continue
        assert tests, f"{row.section} {row.number} is {row.state} and names no test"
        for file, name in named:
            path = root / file if file.startswith("bench/") else root / "tests" / file
            assert path.is_file(), f"{row.section} {row.number}: {file} does not exist"
            assert not name or re.search(rf"^\s*def {name}\b", path.read_text("utf-8"), re.MULTILINE), f"{file}::{name}"
        if row.state == "partly":
            assert re.search(r"issue \d+", row.proof), f"{row.section} {row.number}: which issue does the rest?"


def test_what_is_done_names_no_issue(rows: list[Row], root: Path) -> None:
    """Nobody can look one up from here: only rows that wait for one name it."""
    waiting = {row.proof for row in rows if row.state in {"partly", "open"}}
    lines = (root / "docs" / "status.md").read_text("utf-8").splitlines()
    named = [line for line in lines if re.search(r"\bissue \d+", line)]
    assert [line for line in named if not any(proof in line for proof in waiting)] == []


def test_a_goal_that_is_missed_is_not_called_done(rows: list[Row]) -> None:
    """The word and the state go together: a row that says it has missed a goal has that state, and the other way."""
    for row in rows:
        says = re.search(r"\bmissed\b", row.proof, re.IGNORECASE) is not None
        assert says or row.state != "missed", f"{row.section} {row.number}: which goal is missed?"
        assert not says or row.state in {"missed", "partly"}, f"{row.section} {row.number} is {row.state}, and missed"


def test_the_guarantees_name_tests_that_exist(root: Path) -> None:
    """The table of docs/architecture.md."""
    text = (root / "docs" / "architecture.md").read_text("utf-8").partition("## What is guaranteed")[2]
    tests = re.findall(r"`([\w/.\-]+\.py)(?:::(\w+))?`", text.partition("\n## ")[0])
    assert len(tests) >= 8
    for file, name in tests:
        source = (root / "tests" / file).read_text("utf-8")
        assert not name or re.search(rf"^\s*def {name}\b", source, re.MULTILINE), f"{file}::{name}"
