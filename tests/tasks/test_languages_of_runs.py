"""Every task that takes a language tells its run, whether or not its settings keep it."""

import ast
from pathlib import Path

import pytest

import arpent.tasks
from arpent.store import Place, open_run
from arpent.tasks.change.train_settings import ChangeTrainSettings
from arpent.tasks.classify.train_settings import ClassifyTrainSettings
from arpent.tasks.describe.train_settings import DescribeTrainSettings
from arpent.tasks.forecast.train_settings import ForecastSettings, SegmentationSettings
from arpent.tasks.landcover.settings import FinetuneSettings, TrainSettings

TASKS = Path(arpent.tasks.__file__).parent


def test_tasks_begin_their_runs_in_the_language_of_their_settings():
    said = {}
    for file in sorted(TASKS.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "place.begin":
                words = {word.arg: ast.unparse(word.value) for word in node.keywords}
                said[f"{file.relative_to(TASKS)}:{node.lineno}"] = words.get("language")
    assert len(said) > 20
    assert {where for where, language in said.items() if language != "settings.language"} == set()


@pytest.mark.parametrize(
    "kind",
    [
        ChangeTrainSettings,
        ClassifyTrainSettings,
        DescribeTrainSettings,
        FinetuneSettings,
        ForecastSettings,
        SegmentationSettings,
        TrainSettings,
    ],
)
def test_trainings_keep_their_language_among_their_settings(kind, tmp_path):
    """The engine begins them, which knows no settings of its own."""
    settings = kind.model_construct(language="fr").model_dump(mode="json", include={"language"})
    with Place(exact=tmp_path / "run").begin("training", "t", settings) as run:
        assert run.finish().manifest.language == "fr"


@pytest.mark.parametrize("kept", [{}, {"settings": {"language": "fr"}}])
def test_a_run_is_resumed_in_another_language(kept, tmp_path):
    with Place(exact=tmp_path / "run").begin("change", "list", kept, language="fr"):
        pass
    with Place(exact=tmp_path / "run", resume=True).begin("change", "list", kept, language="en") as run:
        assert run.resumed
        run.finish()
    assert open_run(tmp_path / "run").manifest.language == "en"
    with Place(exact=tmp_path / "run", force=True).begin("change", "list", kept, language="fr") as run:
        run.finish()
    assert open_run(tmp_path / "run").manifest.language == "fr"
