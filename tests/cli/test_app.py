from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from arpent import __version__
from arpent.cli import app as application
from arpent.cli import console
from arpent.cli.console import flags, note, progress, show
from arpent.errors import FileMissing, PartialFailure

Run = Callable[..., Any]


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Puts a command ``arpent probe`` into the table, which does what the test wants."""

    def install(action: Callable[[], None]) -> None:
        module = types.ModuleType("arpent_probe")
        module.app = typer.Typer()  # type: ignore[attr-defined]
        module.app.command()(action)
        monkeypatch.setitem(sys.modules, "arpent_probe", module)
        monkeypatch.setitem(application.COMMANDS, "probe", application.CommandEntry("arpent_probe", "A probe."))

    yield install


def test_help_lists_every_command_of_the_table(arpent: Run) -> None:
    said = arpent("--help")
    assert said.code == 0
    for name, entry in application.COMMANDS.items():
        assert name in said.out
        assert entry.help in said.out, "a line of help that is cut off"
    first = " ".join(said.out.split())
    for capability in ("land cover", "change", "forecasts", "parcels told in words", "labels of pictures"):
        assert capability in first


def test_help_imports_no_heavy_library() -> None:
    script = (
        "import sys; from arpent.cli.app import main; main(['--help']);"
        "heavy = {'torch', 'numpy', 'rasterio', 'pydantic', 'rich', 'arpent.core'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", application.COMMANDS)
def test_every_command_of_the_table_opens(arpent: Run, name: str) -> None:
    said = arpent(name, "--help")
    assert said.code == 0, said.err
    assert "--json" in said.out
    assert "completion" not in said.out


def test_the_whole_tree_can_be_walked() -> None:
    root = application.tree()
    assert set(root.commands) == set(application.COMMANDS)
    assert set(root.commands["runs"].commands) == {"catalog", "list", "publish", "show", "verify"}


@pytest.mark.parametrize("words", [["--version"], ["runs", "--version"], ["runs", "list", "--version"]])
def test_the_version_comes_from_anywhere(arpent: Run, words: list[str]) -> None:
    assert arpent(*words).out.strip() == f"arpent {__version__}"
    assert arpent(*words, "--json").document == {"arpent": __version__}


@pytest.mark.parametrize("words", [["--json", "probe"], ["probe", "--json"]])
def test_global_options_come_before_and_after_the_command(arpent: Run, probe: Run, words: list[str]) -> None:
    seen = []

    def action() -> None:
        seen.append(flags())
        sys.stdout.write("a library that chatters\n")
        show({"where": Path("a/b"), "bad": float("nan")}, "for people")

    probe(action)
    said = arpent(*words)
    assert said.code == 0
    assert said.document == {"where": "a/b", "bad": None}
    assert "chatters" in said.err
    assert seen[0].json


def test_words_after_a_double_dash_are_no_options() -> None:
    assert not application.Flags.among(["probe", "--", "--json"]).json


def test_people_get_text_and_machines_get_their_help_as_text(arpent: Run, probe: Run) -> None:
    probe(lambda: show({"n": 1}, "one thing [bold]"))
    assert arpent("probe").out == "one thing [bold]\n"
    assert "Usage: arpent probe" in arpent("probe", "--help", "--json").document["text"]


def test_notes_and_progress_are_for_people_who_look(arpent: Run, probe: Run) -> None:
    def action() -> None:
        note("by the way\x1b[2J")
        with progress().bar("reading", 3, "files") as bar:
            bar.advance(3)  # standard error is no terminal here, and what takes less than a minute leaves no line

    probe(action)
    assert arpent("probe").err == "by the way\\x1b[2J\n"
    assert arpent("probe", "--quiet").err == ""
    assert arpent("probe", "--json").err == ""


def test_a_log_is_told_how_far_long_work_is(arpent: Run, probe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LOGGED", 0.0)

    def action() -> None:
        with progress().bar("reading", 8, "files") as bar:
            bar.advance(0)
            bar.note("slowly")
            bar.advance(2)

    probe(action)
    lines = arpent("probe").err.splitlines()
    assert lines == ["reading: 0 files", "reading: 2/8 files, 0:00 left  slowly"]
    assert arpent("probe", "--quiet").err == ""


def test_an_error_is_one_line_and_one_document(arpent: Run, probe: Run) -> None:
    def action() -> None:
        raise FileMissing("there is no\nscene\x1b[31m.tif", found=3, cure="Look again.")

    probe(action)
    said = arpent("probe")
    assert said.code == 3
    assert said.out == ""
    assert said.err == "arpent: error: there is no scene\\x1b[31m.tif (found 3). Look again.\n"
    document = arpent("probe", "--json").document
    assert document["error"] == {
        "class": "FileMissing",
        "what": "there is no scene\x1b[31m.tif",
        "found": "3",
        "expected": None,
        "cure": "Look again.",
        "exit_code": 3,
    }


def test_a_partial_failure_carries_what_was_done(arpent: Run, probe: Run) -> None:
    def action() -> None:
        show({"done": 2}, "2 done")
        raise PartialFailure("1 of 3 failed", cure="See the manifest.")

    probe(action)
    said = arpent("probe", "--json")
    assert said.code == 9
    assert said.document["result"] == {"done": 2}
    assert said.document["error"]["class"] == "PartialFailure"


def test_a_defect_asks_for_a_report(arpent: Run, probe: Run) -> None:
    def action() -> None:
        raise ZeroDivisionError("division by zero")

    probe(action)
    said = arpent("probe")
    assert said.code == 70
    assert said.err.count("\n") == 1
    assert "ZeroDivisionError" in said.err
    assert "--debug" in said.err
    assert "Traceback" in arpent("probe", "--debug").err


@pytest.mark.parametrize(("raised", "code"), [(KeyboardInterrupt, 130), (MemoryError, 8), (lambda: typer.Exit(5), 5)])
def test_other_endings_have_their_codes(
    arpent: Run, probe: Run, raised: Callable[[], BaseException], code: int
) -> None:
    def action() -> None:
        raise raised()

    probe(action)
    assert arpent("probe").code == code


def test_a_closed_pipe_ends_in_silence() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "arpent", "--help"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.parametrize("words", [["--help"], ["--version", "--json"]])
def test_a_full_disk_behind_standard_output(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "arpent", *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 7
    assert done.stderr.count("\n") == 1
    assert "no space is left" in done.stderr


@pytest.mark.parametrize(("words", "code"), [("--help", 0), ("runz", 2)])
def test_closed_streams_are_no_reason_to_fail(words: str, code: int) -> None:
    for closed in ("2>&-", ">&-", ">&- 2>&-"):
        script = f"{sys.executable} -m arpent {words} {closed}"
        assert subprocess.run(["bash", "-c", script], capture_output=True).returncode == code


def test_names_that_the_terminal_cannot_show(tmp_path: Path, arpent_process: Run) -> None:
    folder = tmp_path / "runs" / "漢字"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")
    said = arpent_process("runs", "list", tmp_path / "runs", env={"PYTHONIOENCODING": "ascii"})
    assert said.code == 0
    assert "\\u6f22" in said.out


def test_a_system_exit_of_a_library_passes(probe: Run) -> None:
    def action() -> None:
        raise SystemExit(4)

    probe(action)
    with pytest.raises(SystemExit):
        application.main(["probe"])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["runz"], "no command is called 'runz'. Did you mean 'runs'?"),
        (["--jsn"], "no such option: --jsn"),
        (["runs", "shw"], "no such command 'shw'. Did you mean 'show'? See 'arpent runs --help'."),
        (["runs", "show"], "missing argument"),
        (["runs", "list", "a", "b"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_told_in_one_line(arpent: Run, words: list[str], line: str) -> None:
    said = arpent(*words)
    assert said.code == 2
    assert line in said.err
    assert said.err.count("\n") == 1
    assert arpent(*words, "--json").document["error"]["exit_code"] == 2


@pytest.mark.parametrize("words", [[], ["runs"]])
def test_a_group_without_a_command_shows_its_help(arpent: Run, words: list[str]) -> None:
    said = arpent(*words)
    assert said.code == 2
    assert said.err.startswith("Usage: arpent")
    assert arpent(*words, "--json").document["error"]["what"] == "missing command"


def test_the_terminal_gets_red(arpent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    done = subprocess.run([sys.executable, "-m", "arpent", "runz"], stderr=writer, env=environment)
    said = os.read(reader, 4096).decode()
    os.close(writer)
    os.close(reader)
    assert done.returncode == 2
    assert "\x1b[1;31merror:\x1b[0m" in said


@pytest.mark.parametrize(
    ("words", "code"), [(["--version"], 0), (["runz"], 2), (["runs", "list", "/no/such/folder"], 3)]
)
def test_exit_codes_reach_the_shell(arpent_process: Run, words: list[str], code: int) -> None:
    assert arpent_process(*words).code == code


def test_control_c_reaches_the_shell(tmp_path: Path) -> None:
    started = tmp_path / "started"
    script = f"""
import pathlib, sys, time, types, typer
from arpent.cli import app
def slow():
    pathlib.Path({str(started)!r}).touch()
    time.sleep(60)
module = types.ModuleType("slow")
module.app = typer.Typer()
module.app.command()(slow)
sys.modules["slow"] = module
app.COMMANDS["slow"] = app.CommandEntry("slow", "Slow.")
sys.exit(app.main(["slow"]))
"""
    child = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    while not started.exists():
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert err.count("\n") == 1
    assert "stopped on request" in err


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("arpent ru", {"runs"}),
        ("arpent runs ", {"catalog", "list", "publish", "show", "verify"}),
        ("arpent runs list --js", {"--json"}),
    ],
)
def test_the_shell_completes(arpent_process: Run, typed: str, expected: set[str]) -> None:
    words = typed.split(" ")
    said = arpent_process(
        env={"_ARPENT_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    )
    assert said.code == 0, said.err
    assert set(said.out.split()) == expected


def test_completion_can_be_shown(arpent_process: Run) -> None:
    said = arpent_process(env={"_ARPENT_COMPLETE": "source_bash"})
    assert "complete " in said.out
