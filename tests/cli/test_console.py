from __future__ import annotations

import datetime as dt
import io
import json
import os
import time
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.cli.console import Flags, Session, console, facts, follows, note, plain, printable, progress, show, table
from arpent.core import Settings, Window
from arpent.core.progress import Retitled


class _Choice(Settings):
    folder: Path = Path("a")


class _Season(Enum):
    WET = "wet"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("inf"), None),
        (np.float32(0.5), 0.5),
        (np.arange(3, dtype=np.uint8), [0, 1, 2]),
        (Window(0, 1, 2, 3), {"row": 0, "col": 1, "height": 2, "width": 3}),
        (_Choice(), {"folder": "a"}),
        (dt.date(2026, 2, 1), "2026-02-01"),
        ([_Season.WET], ["wet"]),
        ({1: (True, None)}, {"1": [True, None]}),
        (complex(1, 2), "(1+2j)"),
    ],
)
def test_plain_speaks_json(value: object, expected: object) -> None:
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


@given(st.text())
def test_printable_leaves_nothing_that_steers_a_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.replace("\N{NO-BREAK SPACE}", "").replace("\N{NARROW NO-BREAK SPACE}", "").isprintable()
    if text.isprintable():
        assert shown == text


def test_tables_set_numbers_right_and_keep_markup_literal() -> None:
    stream = io.StringIO()
    console(stream).print(table(["name", "n"], [("[red]x", 1), (None, 20_000)], title="T"))
    console(stream).print(facts([("size", 3)]))
    text = stream.getvalue()
    assert "[red]x" in text
    lines = [line.rstrip() for line in text.splitlines()]
    ends = {len(line) for line in lines if line.endswith((" 1", " 20000"))}
    assert len(ends) == 1
    assert "size  3" in text or "size 3" in text


@pytest.mark.parametrize("columns", [None, "120"], ids=["plain", "exported"])
def test_piped_tables_are_not_folded(columns: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    names = ", ".join(f"class number {number}" for number in range(200))
    stream = io.StringIO()
    console(stream).print(table(["file", "n"], [("x" * 5000, 1), ("y", 2)], title="T"))
    console(stream).print(facts([("classes", names), ("size", 3)]))
    lines = stream.getvalue().splitlines()
    assert any("x" * 5000 in line for line in lines)
    (line,) = [line for line in lines if line.startswith("classes")]
    assert line.rstrip().endswith(names)


def test_the_bar_shows_itself_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        with Session(Flags()).active():
            shown = progress()
            with shown.bar("reading", 200, "rows") as bar:
                bar.advance(150)
                bar.advance(50)
                bar.note("nearly\x1b[2J there")
            with shown.bar("looking", None, "files") as bar, shown.bar("inside [x]", 2) as inner:
                bar.advance()
                inner.advance()
                time.sleep(0.3)  # bars are drawn ten times a second
        terminal.flush()
        said = os.read(reader, 65536).decode()
    os.close(reader)
    assert "reading" in said
    assert "200/200 rows" in said
    assert "nearly\\x1b[2J there" in said
    assert "1 files" in said
    assert "inside [x]" in said
    assert "1/2" in said


def test_a_log_is_told_now_and_then_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr("arpent.cli.console.time.monotonic", lambda: clock[0])

    def told(here: Flags, total: float | None) -> list[str]:
        with Session(here).active(), Retitled(progress(), "lesson 1").bar("train", total, "batches") as bar:
            bar.note("loss 0.312")
            for _ in range(10):
                clock[0] += 25
                bar.advance(20)
        return capsys.readouterr().err.splitlines()

    assert told(Flags(), 400) == [
        "lesson 1: 60/400 batches, 7:05 left  loss 0.312",
        "lesson 1: 120/400 batches, 5:50 left  loss 0.312",
        "lesson 1: 180/400 batches, 4:35 left  loss 0.312",
    ]
    assert told(Flags(), None)[0] == "lesson 1: 60 batches  loss 0.312"
    assert told(Flags(quiet=True), 400) == told(Flags(json=True), 400) == []


@pytest.mark.parametrize(
    ("rank", "world", "silent"),
    [("", "", False), ("0", "2", False), ("1", "2", True), ("1", "1", False), ("x", "2", False)],
)
def test_of_several_processes_the_first_alone_speaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rank: str, world: str, silent: bool
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", world)
    with Session().active() as here:
        show({"a": 1}, "a line")
        note("a remark")
    said = capsys.readouterr()
    assert follows() is silent
    assert (said.out, said.err) == (("", "") if silent else ("a line\n", "a remark\n"))
    assert here.document == {"a": 1}
