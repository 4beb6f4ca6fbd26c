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
STATES = {"done", "partly", "open"}


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
    """A row that is done or partly done names tests; each of them exists."""
    for row in rows:
        tests = re.findall(r"`([\w/.\-]+\.py)(?:::(\w+))?`", row.proof)
        if row.state == "open":
            assert re.search(r"issue \d+", row.proof), f"{row.section} {row.number}: which issue will do it?"
            continue
        assert tests, f"{row.section} {row.number} is {row.state} and names no test"
        for file, name in tests:
            path = next((p for p in (root / "tests" / file, root / "bench" / file) if p.is_file()), None)
            assert path is not None, f"{row.section} {row.number}: {file} does not exist"
            assert not name or re.search(rf"^\s*def {name}\b", path.read_text("utf-8"), re.MULTILINE), f"{file}::{name}"
        if row.state == "partly":
            assert re.search(r"issue \d+", row.proof), f"{row.section} {row.number}: which issue does the rest?"


def test_the_guarantees_name_tests_that_exist(root: Path) -> None:
    """The table of docs/architecture.md."""
    text = (root / "docs" / "architecture.md").read_text("utf-8").partition("## What is guaranteed")[2]
    tests = re.findall(r"`([\w/.\-]+\.py)(?:::(\w+))?`", text.partition("\n## ")[0])
    assert len(tests) >= 8
    for file, name in tests:
        source = (root / "tests" / file).read_text("utf-8")
        assert not name or re.search(rf"^\s*def {name}\b", source, re.MULTILINE), f"{file}::{name}"
