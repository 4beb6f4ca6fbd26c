from __future__ import annotations

import shlex
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from pydantic import Field

from arpent.cli import app as application
from arpent.cli.console import show
from arpent.cli.options import assemble, with_settings
from arpent.core import Settings, settings_of
from arpent.errors import InvalidSetting, UnknownSetting

Run = Callable[..., Any]


class Season(Enum):
    """When."""

    DRY = "dry"
    WET = "wet"


class Optimiser(Settings):
    """How the weights move."""

    rate: Annotated[float, Field(gt=0)] = 1e-3
    """Step at the start."""
    kind: Literal["adam", "sgd"] = "adam"
    fused: bool = True


class Training(Settings):
    """A model of every sort of field."""

    data: Path
    """Folder of the samples."""
    epochs: Annotated[int, Field(ge=1)] = 3
    """Passes over the samples."""
    batch_size: int = 8
    bands: tuple[str, ...] = ("red", "nir")
    areas: Sequence[float] = ()
    weights: Mapping[str, float] = {}
    season: Season | None = Season.DRY
    seed: int | None = 7
    name: str = ""
    mix: bool = False
    optimiser: Optimiser = Optimiser()


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, arpent: Run) -> Iterator[Run]:
    """``arpent train``, a command whose options come from `Training`."""
    module = types.ModuleType("arpent_train")
    module.app = typer.Typer()  # type: ignore[attr-defined]

    @module.app.command()
    @with_settings
    def train(
        settings: Training,
        image: Annotated[str, typer.Argument()],
        output: Annotated[Path, typer.Option("--output", "-o")] = Path("run"),
    ) -> None:
        """Trains."""
        show({"settings": settings, "image": image, "output": output})

    monkeypatch.setitem(__import__("sys").modules, "arpent_train", module)
    monkeypatch.setitem(application.COMMANDS, "train", application.CommandEntry("arpent_train", "Trains."))
    yield lambda *words: arpent("train", *words, "--json")


def test_the_same_value_three_ways(train: Run, tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text(
        "data: here\nepochs: 5\nbatch_size: 2\nbands: [red, green]\nareas: [200, 50.5]\nweights: {water: 2}\n"
        "season: wet\nseed: null\nname: '007'\nmix: true\noptimiser: {rate: 1e-4, kind: sgd, fused: false}\n"
    )
    options = shlex.split("""
        --data here --epochs 5 --batch-size 2 --bands red,green --areas 200,50.5 --season wet --seed none --name 007
        --mix --optimiser.rate 1e-4 --optimiser-kind sgd --no-optimiser.fused
    """)
    pairs = shlex.split("""
        data=here epochs=5 batch_size=2 bands=[red,green] areas=[200,50.5] 'weights={water: 2}' season=wet seed=null
        "name='007'" mix=true optimiser.rate=1e-4 optimiser.kind=sgd optimiser.fused=false
    """)
    from_file = train("a.tif", "--config", file).document
    from_options = train("a.tif", *options, "--weights", "{water: 2}").document
    from_pairs = train("a.tif", *(word for p in pairs for word in ("--set", p))).document
    assert from_file == from_options == from_pairs
    assert from_file["settings"]["optimiser"] == {"rate": 1e-4, "kind": "sgd", "fused": False}
    assert from_file["settings"]["seed"] is None
    assert from_file["settings"]["name"] == "007"


def test_options_win_over_set_and_set_over_the_file(train: Run, tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text("data: here\nepochs: 5\nbatch_size: 5\nname: five\noptimiser: {kind: sgd}\n")
    words = ("--config", file, "--set", "epochs=6", "--set", "batch_size=6", "--epochs", 7)
    settings = train("a.tif", *words).document["settings"]
    assert (settings["epochs"], settings["batch_size"], settings["name"]) == (7, 6, "five")
    assert settings["optimiser"] == {"rate": 1e-3, "kind": "sgd", "fused": True}


def test_own_arguments_and_options_stay(train: Run) -> None:
    document = train("scene.tif", "--data", "d", "-o", "there").document
    assert (document["image"], document["output"]) == ("scene.tif", "there")


def test_help_tells_names_defaults_and_choices(arpent: Run, train: Run) -> None:
    text = arpent("train", "--help").out
    for setting in settings_of(Training):
        assert f"--{setting.path.replace('_', '-')}" in text
    assert "Passes over the samples. [default: 3]" in text
    assert "adam|sgd" in text
    assert "dry|wet" in text
    assert "[required, here or in the file]" in " ".join(text.split())
    assert "--mix / --no-mix" in text


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--data", "d", "--epochs", "many"], "'epochs'"),
        (["--data", "d", "--optimiser.kind", "adamm"], "expected 'adam' or 'sgd'"),
        (["--data", "d", "--set", "optimiser.rte=3"], "Did you mean 'rate'?"),
        (["--data", "d", "--set", "rate=3"], "Did you mean 'optimiser.rate'?"),
        (["--data", "d", "--set", "epochs"], "expected name=value"),
        (["--data", "d", "--weights", "{a: "], "not YAML"),
        ([], "lacks the setting 'data'"),
        (["--data", "d", "--epoch", "3"], "no such option: --epoch"),
    ],
)
def test_wrong_settings_are_one_line_and_code_2(train: Run, words: list[str], line: str) -> None:
    said = train("a.tif", *words)
    assert said.code == 2
    assert line in said.err
    assert said.err.count("\n") == 1


def test_words_are_offered_for_completion() -> None:
    from arpent.cli.options import _words

    assert _words(Literal["adam", "sgd"] | None) == ["adam", "sgd"]
    assert _words(Season) == ["dry", "wet"]
    assert _words(int) == []


def test_the_source_is_named(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text("epochz: 3\n")
    with pytest.raises(UnknownSetting, match=r"^train.yaml has no setting 'epochz'"):
        assemble(Training, file, (), {})
    with pytest.raises(InvalidSetting, match=r"^train.yaml with the command line"):
        file.write_text("data: x\n")
        assemble(Training, file, (), {"epochs": "0"})
