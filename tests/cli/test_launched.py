"""Several processes of one command: the work of trainings, and of nothing else."""

import pytest

from arpent.cli.app import tree
from arpent.cli.together import TRAININGS


@pytest.fixture
def launched(monkeypatch):
    def by(rank):
        for name, value in {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2}.items():
            monkeypatch.setenv(name, str(value))

    return by


def test_a_command_that_each_would_do_the_whole_of_is_refused_once(arpent, launched):
    for rank, code in ((0, 2), (1, 0)):
        launched(rank)
        said = arpent("landcover", "predict", "image.tif", "--model", "m")
        assert (said.code, said.out) == (code, "")
        assert len(said.err.splitlines()) == (rank == 0)
    launched(0)
    assert "is the work of one process (found 2 that were started together" in arpent("--quiet", "runs", "list").err


def test_a_machine_whose_scheduler_sets_variables_is_no_launcher(arpent, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert arpent("models", "list").code == 0


@pytest.mark.parametrize("words", TRAININGS)
def test_trainings_are_let_through(arpent, launched, words):
    launched(0)
    said = arpent(*words, "--no-such-option")
    assert said.code == 2
    assert "--no-such-option" in said.err


def test_every_training_is_known():
    """A new command that trains is to work in several processes, or to be told apart here."""
    root, found = tree(), set()
    for group, command in root.commands.items():
        for name in getattr(command, "commands", {}):
            if name.startswith(("train", "finetune")):
                found.add((group, name))
    assert found == set(TRAININGS)
