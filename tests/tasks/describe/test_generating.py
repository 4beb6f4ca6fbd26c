"""From images to texts with a model that is made, taught and trained here: no download, and every promise kept."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import torch
import yaml

from arpent.cli.app import main
from arpent.core import Progress
from arpent.engine import FitSettings, OptimiserSettings
from arpent.errors import ContractMismatch, EmptySplit, InvalidSetting, SplitLeak, WeightsMissing
from arpent.language.grammar import compose, text
from arpent.models.describer_settings import LoraSettings, SmallModelSettings
from arpent.store import Place, Run
from arpent.tasks.describe.describer import Describer, Question
from arpent.tasks.describe.encoding import Encoder
from arpent.tasks.describe.examples import read_visual
from arpent.tasks.describe.generate_settings import GenerateSettings
from arpent.tasks.describe.generating import Generated, Item, Writer, generate, repair_rate
from arpent.tasks.describe.measuring import measure
from arpent.tasks.describe.parcels import read_parcels
from arpent.tasks.describe.scene_settings import SceneSettings
from arpent.tasks.describe.scenes import open_scene
from arpent.tasks.describe.showing import show_images
from arpent.tasks.describe.table import measured_of
from arpent.tasks.describe.telling import tell
from arpent.tasks.describe.texts import read_texts
from arpent.tasks.describe.token_shelf import TokenShelf
from arpent.tasks.describe.train_settings import DescribeTrainSettings, HeldOutSettings, SmallLessonSettings
from arpent.tasks.describe.training import train_describer

DAYS = ("2022-05-02", "2022-06-01", "2022-07-01")
ASKED = {"chip": 30, "place": "country"}


class School:
    """Three images of one place, and all that is learnt from them.

    Attributes:
        images, table, captions, embeddings: files.
        folder: for runs.
    """

    def __init__(self, folder: Path, country) -> None:
        from arpent.core import sensor

        self.folder = folder
        settings = SceneSettings(**ASKED)
        encoder = Encoder.open("croma-tiny", random_init=True, seed=3, device="cpu")
        self.images, tables, tokens, lines = [], [], [], []
        for number, day in enumerate(DAYS):
            file = folder / f"country_{day}.tif"
            self._written(file, country.stack(sensor("sentinel-2-l2a").band_names) * (1 + 0.1 * number))
            self.images.append(str(file))
            with open_scene(file, settings) as scene:
                parcels = read_parcels(None, scene.grid, settings, name=scene.name)
                tables.append(measure(scene, parcels, None))
                tokens.append(encoder.encode(scene, parcels))
            for row in tables[-1].to_pylist():
                key = {"parcel": row["parcel"], "place": row["place"], "image": row["image"], "taken": day}
                for language in ("fr", "en"):
                    for seed in range(2):
                        written = text(compose(measured_of(row), language, seed=seed))  # type: ignore[arg-type]
                        lines.append(key | {"language": language, "seed": seed, "text": written})
        import pyarrow as pa

        self.table, self.captions = folder / "table.parquet", folder / "captions.jsonl"
        self.embeddings = folder / "embeddings.parquet"
        pq.write_table(pa.concat_tables(tables), self.table)
        pq.write_table(pa.concat_tables(tokens), self.embeddings)
        self.captions.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))

    @staticmethod
    def _written(file: Path, pixels: np.ndarray) -> None:
        profile = {"driver": "GTiff", "count": 12, "dtype": "uint16", "height": 60, "width": 90}
        profile |= {"crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 500_000, 0, -10, 4_690_000)}
        with rasterio.open(file, "w", photometric="MINISBLACK", **profile) as image:
            image.write(pixels.round().astype(np.uint16))

    def settings(self, **more: object) -> DescribeTrainSettings:
        sizes = SmallModelSettings(width=32, layers=1, heads=4, hidden=48, vocabulary=400)
        plain = {
            "table": str(self.table),
            "captions": str(self.captions),
            "embeddings": str(self.embeddings),
            "base": "small",
            "small": SmallLessonSettings(model=sizes, texts=64, batch_size=16, sights=640),
            "lora": LoraSettings(rank=4, alpha=8),
            "samples": 24,
            "held_out": HeldOutSettings(dates=("2022-07-01",)),
            "fit": FitSettings(epochs=2, optimiser=OptimiserSettings(rate=3e-3), device="cpu"),
        }
        return DescribeTrainSettings.model_validate(plain | more)

    def trained(self, name: str, progress: Progress | None = None, *, resume: bool = False, **more: object) -> Run:
        place = Place(exact=self.folder / name, resume=resume)
        return train_describer(self.settings(**more), place, progress=progress)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, country) -> School:
    return School(tmp_path_factory.mktemp("school"), country)


@pytest.fixture(scope="module")
def run(school: School) -> Run:
    return school.trained("trained")


@pytest.fixture(scope="module")
def describer(run: Run) -> Describer:
    return Describer.open(run.path, device="cpu")


def state(run: Run) -> dict[str, torch.Tensor]:
    """The weights of the adapter, and of the language model with its LoRA in it."""
    opened = Describer.open(run.path, device="cpu")._model
    parts = {"adapter": opened.adapter, "language": opened.language}
    return {f"{part}.{name}": one.clone() for part, of in parts.items() for name, one in of.state_dict().items()}


# Training -----------------------------------------------------------------------------------------------------------


def test_a_training_leaves_a_describer_and_all_that_tells_of_it(run: Run, describer: Describer, school: School) -> None:
    folder = run.file("model").parent
    assert {"vision_adapter.safetensors", "bundle.json"} <= {file.name for file in folder.iterdir()}
    assert (folder / "lora" / "adapter_config.json").is_file()
    assert describer.encoder == read_visual(school.embeddings).encoder.identity
    assert describer.encoder.startswith("random:croma-tiny:seed3")
    assert describer.cells == 25
    recipe = describer.contract.recipe
    assert (recipe["train"], recipe["validation"], recipe["held_out"]) == (6, 6, 6)
    assert describer.contract.normalisation is not None
    metrics = run.manifest.metrics
    assert metrics["parameters/trained"] < metrics["parameters/total"]
    assert {"validation/loss", "validation/digits", "validation/words"} <= set(metrics)
    roles = {one.role for one in run.manifest.inputs}
    assert {"table", "captions", "embeddings"} <= roles
    assert list((run.path / "logs").rglob("events.*"))


def test_the_same_settings_give_the_same_weights_also_after_an_interruption(school: School, run: Run) -> None:
    class Stop:
        """Ctrl-C in the second epoch."""

        def __init__(self) -> None:
            self.count = 0

        def bar(self, title: str, total: int, unit: str) -> Stop:
            return self

        def __enter__(self) -> Stop:
            return self

        def __exit__(self, *problem: object) -> None:
            pass

        def advance(self, count: float = 1) -> None:
            self.count += 1
            if self.count == 10:
                raise KeyboardInterrupt

        def note(self, words: str) -> None:
            pass

    from arpent.errors import Interrupted

    with pytest.raises(Interrupted, match="--resume"):
        school.trained("broken", Stop())  # type: ignore[arg-type]
    again = state(school.trained("broken", resume=True))
    assert all(torch.equal(one, again[name]) for name, one in state(run).items())


def test_what_the_adapter_has_learnt_alone_is_not_unlearnt_beside_words(school: School, run: Run) -> None:
    """The small model reads what an adapter writes from the first lesson on; only how it speaks is still learnt."""
    brief = FitSettings(epochs=1, optimiser=OptimiserSettings(rate=1e-4), device="cpu")
    long, short = state(run), state(school.trained("short", fit=brief))
    same = {name.partition(".")[0] for name, one in long.items() if torch.equal(one, short[name])}
    other = {name.partition(".")[0] for name, one in long.items() if not torch.equal(one, short[name])}
    assert "adapter" in same - other
    assert "language" in other


def test_what_is_held_out_is_told_apart(school: School) -> None:
    with pytest.raises(SplitLeak, match="held out"):
        school.trained("a", held_out=HeldOutSettings(dates=("2022-06-01",), validation_dates=("2022-06-01",)))
    with pytest.raises(EmptySplit, match="validation"):
        school.trained("b", held_out=HeldOutSettings(validation_dates=("1999-01-01",)))
    with pytest.raises(EmptySplit, match="training"):
        school.trained("c", held_out=HeldOutSettings(validation_places=("country",)))
    assert not (school.folder / "a").exists()


def test_a_language_model_that_is_not_here_is_told_with_the_way_to_get_it(school: School) -> None:
    with pytest.raises(WeightsMissing, match=r"arpent models fetch qwen2-1.5b"):
        school.trained("q", base="qwen2-1.5b")
    with pytest.raises(WeightsMissing, match="nothing is downloaded"):
        school.trained("q", base="some/where")


def test_four_bits_need_what_they_need(school: School) -> None:
    from arpent.errors import EnvironmentLack

    with pytest.raises(EnvironmentLack, match=r"bitsandbytes|GPU"):
        school.trained("q", base="qwen2-1.5b", quantise="4bit")


# Texts --------------------------------------------------------------------------------------------------------------


def test_grounded_texts_say_nothing_that_the_pixels_do_not(school: School, run: Run) -> None:
    """The model has learnt next to nothing; the texts stand all the same, and the run says what they cost."""
    settings = GenerateSettings(**ASKED, lang="both", longest=40, device="cpu")
    made = generate(school.images[2:], run.path, Place(exact=school.folder / "grounded"), settings)
    assert len(made.described) == 12
    assert {one.language for one in made.described} == {"fr", "en"}
    for one in made.described:
        findings = [finding for sentence in one.sentences for finding in sentence.findings]
        assert findings
        assert all(finding.verdict == "supported" for finding in findings), one.text
    assert made.failed
    assert made.repair_rate == repair_rate(made.described)
    assert 0.1 < made.repair_rate <= 1
    assert all(one.due >= one.repairs for one in made.described)
    assert made.run.manifest.metrics["asked_again"] <= 1
    assert made.run.manifest.metrics["failed"] == 1
    assert any("10%" in line for line in made.run.manifest.warnings)
    assert any("drawn at random" in line for line in made.run.manifest.warnings)
    assert read_texts(made.run.path) == list(made.described)
    assert {"descriptions", "report", "texts"} <= {one.name for one in made.run.manifest.products}
    assert made.run.manifest.bundle is not None


def test_blind_texts_are_left_as_the_model_writes_them_and_depend_on_the_image(
    school: School, describer: Describer, run: Run
) -> None:
    settings = GenerateSettings(**ASKED, mode="blind", longest=30, device="cpu")
    made = generate(school.images[2:], run.path, Place(exact=school.folder / "blind"), settings)
    visual = read_visual(school.embeddings)
    place = {(key.parcel, key.taken): number for number, key in enumerate(visual.keys)}
    day = dt.date(2022, 7, 1)
    tokens = np.stack([visual.values[place[(one.parcel, day)]] for one in made.described])
    questions = [Question(describer.request("en"), one) for one in tokens]
    assert [one.draft for one in made.described] == [
        describer.text(reply) for reply in describer.ask(questions, longest=30)
    ]
    assert all(one.text == one.draft and one.repairs == 0 for one in made.described)
    assert made.repair_rate is None
    assert not made.failed
    run_on = made.run.manifest.metrics["run_on"]
    assert run_on == sum(not one.ended for one in made.described)


def test_too_little_seen_abstains_before_the_model_is_asked(describer: Describer, school: School) -> None:
    from dataclasses import replace

    row = pq.read_table(school.table).to_pylist()[0]
    clear = measured_of(row)
    visual = read_visual(school.embeddings).values[0]
    cloudy, hidden = replace(clear, cloud=0.8), replace(clear, valid=0.1)
    items = [Item(cloudy, "i", visual, "fr"), Item(clear, "i", visual, "en"), Item(hidden, "i", None, "en")]
    texts = Writer(describer, GenerateSettings(longest=20)).described(items)
    assert [one.abstained for one in texts] == [True, False, True]
    assert "80" in texts[0].text
    assert texts[0].tokens == 0
    assert texts[1].tokens > 0
    assert repair_rate(texts[:1]) is None


def test_other_eyes_are_refused(describer: Describer, school: School, run: Run) -> None:
    with pytest.raises(ContractMismatch, match="another encoder"):
        describer.require_encoder("f" * 64, "other.parquet")
    drawn = read_visual(school.embeddings).encoder.drawn
    describer.require_drawn(drawn)  # the training has kept it
    with pytest.raises(ContractMismatch, match="other numbers from the same seed"):
        describer.require_drawn(drawn[::-1])
    settings = GenerateSettings(**ASKED, encoder="croma-tiny", longest=5, device="cpu")
    made = generate(school.images[2:], run.path, Place(exact=school.folder / "same"), settings)
    assert made.described
    with pytest.raises(ContractMismatch, match="visual tokens"):
        describer.texts(np.zeros((1, 25, 7)), "fr")
    with pytest.raises(InvalidSetting, match="need measurements"):
        describer.texts(np.zeros((1, 25, 96)), "fr", mode="grounded")


def test_programs_ask_as_they_like(describer: Describer, school: School) -> None:
    visual = read_visual(school.embeddings).values[:3]
    measured = [measured_of(row) for row in pq.read_table(school.table).to_pylist()[:3]]
    plain = describer.texts(visual, "fr")
    told = describer.texts(visual, "fr", measured=measured, mode="grounded", notes=["[1]", "[2]", "[3]"])
    assert len(plain) == len(told) == 3
    assert plain[:1] == describer.texts(visual[:1], "fr")  # whoever else is in the batch
    assert len(describer.answer(["Que vois-tu ?"], "fr", longest=4)) == 1


def test_the_visual_tokens_of_a_run_are_never_in_memory_together(
    describer: Describer, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lie on the disk until a batch asks for its own."""
    import tracemalloc

    settings = GenerateSettings(chip=15, place="country", mode="blind", longest=1, device="cpu", batch_size=4)
    read: list[int] = []
    known = TokenShelf.read
    monkeypatch.setattr(TokenShelf, "read", lambda *asked: read.append(1) or known(*asked))
    show_images(school.images[:1], settings, describer)  # what is kept for good is there now
    tracemalloc.start()
    shown = show_images(school.images * 3 + school.images[:1], settings, describer, folder=school.folder)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    tokens = sum(2 * one.visual.shape[0] * one.visual.shape[1] for one in shown.parcels if one.visual is not None)
    assert len(shown.parcels) == 240
    assert held < tokens / 2, "measurements and small pictures, but no tokens"
    assert not read, "nothing is read before it is asked for"
    Writer(describer, settings).described(
        [Item(one.measured, one.image, one.visual, "en") for one in shown.parcels[:4]]
    )
    assert len(read) == 4


BRIEF = GenerateSettings(**ASKED, mode="blind", longest=12, device="cpu", batch_size=4)


@pytest.fixture(scope="module")
def whole(school: School, run: Run) -> Generated:
    """Short texts about all images, written without a break."""
    return generate(school.images, run.path, Place(exact=school.folder / "whole"), BRIEF)


def test_an_unfinished_run_goes_on(school: School, run: Run, whole: Generated) -> None:
    from arpent.errors import Interrupted

    said: list[str] = []

    def stop(piece: str) -> None:
        said.append(piece)
        if len(said) > 40:
            raise KeyboardInterrupt

    place = Place(exact=school.folder / "stopped", resume=True)
    with pytest.raises(Interrupted):
        generate(school.images, run.path, place, BRIEF, stream=stop)
    again = generate(school.images, run.path, place, BRIEF)
    assert [one.text for one in again.described] == [one.text for one in whole.described]


def test_another_process_writes_the_same_texts(school: School, run: Run, whole: Generated, elsewhere) -> None:
    with elsewhere():
        again = generate(school.images, run.path, Place(exact=school.folder / "elsewhere"), BRIEF)
        with pytest.raises(InvalidSetting, match="Leave out --stream"):
            generate(school.images, run.path, Place(exact=school.folder / "heard"), BRIEF, stream=str)
    assert [one.text for one in again.described] == [one.text for one in whole.described]


KILLED = """
import os, signal, sys
from functools import partial
from arpent.engine import training
from arpent.store import Place
from arpent.tasks.describe import generating
from arpent.tasks.describe.generate_settings import GenerateSettings
from arpent.tasks.describe.train_settings import DescribeTrainSettings
from arpent.tasks.describe.training import train_describer

def killed_at(count, done):
    calls = []
    def call(*given, **more):
        calls.append(1)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return done(*given, **more)
    return call

settings, asked, model, images, learnt, written = sys.argv[1:7]
child = os.fork()
if not child:  # in the last lesson, between the best weights of its second epoch and the checkpoint
    training.write_checkpoint = killed_at(8, training.write_checkpoint)
    train_describer(DescribeTrainSettings.model_validate_json(settings), Place(exact=learnt))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
child = os.fork()
if not child:
    generating.ItemOptions = partial(generating.ItemOptions, every=0.0)
    generating.Writer.answer = killed_at(3, generating.Writer.answer)
    rule = GenerateSettings.model_validate_json(asked)
    generating.generate(images.split(os.pathsep), model, Place(exact=written), rule)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_what_was_killed_goes_on_to_the_same_weights_and_texts(
    school: School, run: Run, whole: Generated, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt, written = school.folder / "killed", school.folder / "killed-texts"
    given = [school.settings().model_dump_json(), BRIEF.model_dump_json(), str(run.path)]
    given += [os.pathsep.join(school.images), str(learnt), str(written)]
    ended = subprocess.run([sys.executable, "-c", KILLED, *given], capture_output=True, text=True)
    assert ended.stdout.split() == [str(-signal.SIGKILL)] * 2, ended.stderr
    for folder in (learnt, written):
        assert not (folder / "manifest.json").exists(), "what is not finished does not look so"
    assert not (written / "texts.parquet").exists()
    again = state(school.trained("killed", resume=True))
    assert all(torch.equal(one, again[name]) for name, one in state(run).items())
    asked, answer = [], Writer.answer
    monkeypatch.setattr(Writer, "answer", lambda self, batch: (asked.append(1), answer(self, batch))[1])
    gone_on = generate(school.images, run.path, Place(exact=written, resume=True), BRIEF)
    assert len(asked) in (3, 4), "one or two of five batches had been kept"
    assert gone_on.described == whole.described


# The command line ---------------------------------------------------------------------------------------------------


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """``ran("describe", "generate", …)``: the exit code, and all that is said."""

    def run(*words: str | Path) -> tuple[int, str]:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_generate_on_the_command_line(school: School, run: Run, ran: Callable[..., tuple[int, str]]) -> None:
    base: Sequence[str | Path] = ("describe", "generate", school.images[0], "--model", run.path, "--device", "cpu")
    code, said = ran(
        *base, "--chip", "45", "--mode", "blind", "--longest", "6", "-o", school.folder / "cli", "--stream"
    )
    assert code == 0, said
    assert "report" in said
    assert len(read_texts(school.folder / "cli")) == 4
    code, said = ran(*base, "--longest", "6", "--lang", "fr", "-o", school.folder / "cli2")
    assert code != 0  # the grammar has written all of it
    assert "count as failed" in said


def test_texts_are_in_the_language_of_the_run_unless_another_is_asked_for(
    school: School, run: Run, ran: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    import arpent as ap

    quick: dict[str, Any] = {"chip": 45, "mode": "blind", "longest": 6, "device": "cpu"}
    typed = [word for name, value in quick.items() for word in (f"--{name}", str(value))]
    base: Sequence[str | Path] = ("describe", "generate", school.images[0], "--model", run.path, *typed)
    for asked, spoken in (((), {"fr"}), (("--lang", "en"), {"en"}), (("--lang", "both"), {"fr", "en"})):
        code, said = ran(*base, "--language", "fr", *asked, "-o", tmp_path / "-".join(["typed", *asked]))
        assert code == 0, said
        told = read_texts(tmp_path / "-".join(["typed", *asked]))
        assert {one.language for one in told} == spoken
    made = ap.describe(school.images[0], model=run.path, output=tmp_path / "python", language="fr", **quick)
    assert {one.language for one in made.texts()} == {one.language for one in made.texts("fr")} == {"fr"}
    assert ap.open_run(tmp_path / "python").stored.manifest.settings["lang"] == "fr"  # what a resumed run is held to
    spelt = GenerateSettings(**quick, language="fr", lang="fr").document()
    assert spelt == GenerateSettings(**quick, language="fr").document()
    grammar = tell(school.images[:1], Place(exact=tmp_path / "told"), GenerateSettings(chip=45, language="fr"))
    assert {one.language for one in grammar.described} == {"fr"}


def test_train_on_the_command_line(school: School, ran: Callable[..., tuple[int, str]]) -> None:
    config = school.folder / "config.yaml"
    config.write_text(yaml.safe_dump(school.settings(samples=8).model_dump(mode="json")))
    code, said = ran("describe", "train", config, "-o", school.folder / "cli-train", "--set", "fit.epochs=1")
    assert code == 0, said
    assert "validation/digits" in said


def test_five_hundred_parcels_of_one_scene_in_one_run(
    describer: Describer, school: School, run: Run, tmp_path: Path
) -> None:
    """All that the issue asks of parcels: one encoding of the scene, a row, a text and a card for each."""
    import shapely
    from pyogrio.raw import write

    down, across = np.divmod(np.arange(500), 25)
    left, top = 500_000 + 36.0 * across, 4_690_000 - 29.0 * down
    boxes = shapely.box(left + 2, top - 27, left + 34, top - 2)
    boxes[7] = shapely.Polygon([(0, 0), (25, 25), (25, 0), (0, 25)])  # crosses itself
    boxes[7] = shapely.transform(boxes[7], lambda xy: xy + np.array([left[7] + 2, top[7] - 27]))
    names = np.array([f"field {number}" for number in range(500)], object)
    file = tmp_path / "fields.gpkg"
    write(file, shapely.to_wkb(boxes), [names], ["name"], geometry_type="Polygon", crs="EPSG:32631", driver="GPKG")
    settings = GenerateSettings(place="country", longest=6, device="cpu", batch_size=100)
    place = Place(exact=tmp_path / "texts")
    made = generate(school.images[:1], run.path, place, settings, parcels=file)
    assert len(made.described) == 500
    table = pq.read_table(made.run.path / "descriptions.parquet")
    assert len(table) == 500
    assert set(table["parcel"].to_pylist()) == set(names)
    page = (made.run.path / "report.html").read_text("utf-8")
    assert page.count("<article") == 500
    assert (made.run.path / "preview.png").is_file()
    assert any("field 7: its outline was not valid" in line for line in made.run.manifest.warnings)
    findings = [one for text in made.described for sentence in text.sentences for one in sentence.findings]
    assert findings
    assert all(one.verdict == "supported" for one in findings)
