"""A labeller put to use: pictures and captions of all kinds labelled, judged and explained, as users would do it."""

from __future__ import annotations

import csv
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
import torch
from affine import Affine

from arpent.cli.app import main
from arpent.core import Contract, Normalisation, sensor
from arpent.engine import TorchNetwork
from arpent.errors import DatasetError, InputError, Interrupted, UnknownName
from arpent.models import LabellerSettings, LabellingHead, save_bundle
from arpent.models.labelling import build_labeller
from arpent.models.labelling_settings import ImageBranchSettings, TextBranchSettings
from arpent.store import Place, open_run
from arpent.tasks.classify.asking import Asked
from arpent.tasks.classify.attention import heat_of, seen_by
from arpent.tasks.classify.dataset import Dataset
from arpent.tasks.classify.evaluate_settings import LabelEvaluationSettings
from arpent.tasks.classify.evaluating import evaluate_labeller
from arpent.tasks.classify.explain_settings import ExplainSettings
from arpent.tasks.classify.explaining import explain_labels
from arpent.tasks.classify.labelling import OpenedLabeller
from arpent.tasks.classify.pixels import Squares
from arpent.tasks.classify.predict_settings import LabelSettings
from arpent.tasks.classify.predicting import LabelRun, label_pictures
from arpent.testing.items import validate_stac

SIDE = 32
BYTES = Normalisation(origin="test", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3)


@pytest.fixture(scope="module")
def bundle(red_or_striped: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Labellers of every kind that know red from striped, by what they are made of."""
    home = tmp_path_factory.mktemp("bundles")
    made: dict[str, Path] = {}

    def of(way: str) -> Path:
        if way not in made:
            made[way] = _taught(red_or_striped, way, home / f"{way}.safetensors")
        return made[way]

    return of


def _taught(folder: Path, way: str, target: Path) -> Path:
    torch.manual_seed(1)
    dataset = Dataset.read(folder)
    pictures = dataset.of_split("train")
    words = dataset.vocabulary
    image = ImageBranchSettings(encoder="mobilenetv2_035", side=SIDE, hidden=16) if way != "text" else None
    text = TextBranchSettings(words=words.size, length=words.length, embedding=8, hidden=8) if way != "image" else None
    fusion = way if image is not None and text is not None else None
    settings = LabellerSettings(labels=2, image=image, text=text, fusion=fusion, dropout=0)  # type: ignore[arg-type]
    model = build_labeller(settings).eval()
    codes = torch.from_numpy(np.stack([words.codes("".join(one.captions[:1])).ids for one in pictures]))
    truth = torch.from_numpy(dataset.truth(pictures).astype(np.float32))
    features = torch.zeros(len(pictures), 0)
    if model.encoder is not None:
        squares = Squares(SIDE, BYTES)
        with torch.no_grad():
            features = model.encoder(torch.from_numpy(np.stack([squares.read(one.path) for one in pictures])))
        model.head.image.suit(features)
    optimiser = torch.optim.Adam(model.head.parameters(), 0.02)
    for step in range(90):
        shown = torch.tensor([[(True, True), (True, False), (False, True)][step % 3]] * len(pictures))
        optimiser.zero_grad()
        logits = model.head(features, codes, shown).logits
        torch.nn.functional.binary_cross_entropy_with_logits(logits, truth).backward() if logits.requires_grad else None
        optimiser.step()
    model.head.set_thresholds(torch.full((2,), 0.5))
    recipe = {
        "labels": dataset.labels,
        "vocabulary": words.document(),
        "masked": False,
        "caption_language": "en",
        "leaks": way != "image",
        "cautions": {"en": ["LABELS LEAK", "other"], "fr": ["FUITE", "autre"]},
    }
    contract = Contract(
        task="classify",
        architecture="labeller",
        settings=settings.model_dump(mode="json"),
        bands=sensor("bd-ortho").select(("red", "green", "blue")),
        normalisation=BYTES,
        recipe=recipe,
        arpent="0",
    )
    return save_bundle(target, model.eval(), contract)


@pytest.fixture
def photos(red_or_striped: Path, tmp_path: Path) -> Path:
    """A red picture as people have them: plain, in sixteen bits, and with a place on earth."""
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(8).integers(90, 120, (48, 64, 3)).astype(np.uint8)
    pixels[..., 2] += 120
    cv2.imwrite(str(folder / "plain.jpg"), pixels)
    planes = np.ascontiguousarray(pixels[..., ::-1].transpose(2, 0, 1))
    shape = {"driver": "GTiff", "width": 64, "height": 48, "count": 3}
    place = {"crs": "EPSG:2154", "transform": Affine(1, 0, 549_000, 0, -1, 6_701_000)}
    with rasterio.open(folder / "placed.tif", "w", dtype="uint8", **shape, **place) as image:
        image.write(planes)
    cv2.imwrite(str(folder / "deep.tif"), pixels.astype(np.uint16) * 257)
    return folder


def bomb(path: Path) -> Path:
    """A PNG of a few bytes that claims ten gigapixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 1, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 12_501 * 100)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


def test_a_folder_becomes_tables_figures_and_places(bundle, photos: Path, tmp_path: Path) -> None:
    captions = {
        "plain.jpg": ("a place with fire",),
        "deep.tif": ("!?",),
        "placed.tif": ("zzz qqq",),
        "nobody.jpg": ("fire",),
    }
    settings = LabelSettings(runtime="torch", figures=2)
    made = label_pictures([str(photos)], bundle("late"), Place(exact=tmp_path / "run"), settings, captions=captions)
    manifest = made.run.manifest
    assert (made.count, made.placed, manifest.status) == (3, 1, "complete")
    assert "LABELS LEAK" in manifest.warnings and "other" not in manifest.warnings
    assert any("nobody.jpg" in warning for warning in manifest.warnings)
    with (tmp_path / "run" / "labels.csv").open(encoding="utf-8") as file:
        rows = {row["picture"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["deep.tif", "placed.tif", "plain.jpg"]
    given = {name: row["labels"] for name, row in rows.items()}
    assert set(given.values()) == {"red"}, f"red in any depth of colour: {rows}"
    assert rows["deep.tif"]["notes"] == "the caption has no word, and counts as absent"
    assert rows["placed.tif"]["notes"] == "no word of the caption is known to the model: it counts as absent"
    assert float(rows["plain.jpg"]["chance_red"]) > 0.5 > float(rows["plain.jpg"]["chance_striped"])
    lines = [json.loads(line) for line in (tmp_path / "run" / "labels.jsonl").read_text("utf-8").splitlines()]
    assert [line["labels"] for line in lines] == [["red"]] * 3
    places = pq.read_table(tmp_path / "run" / "places.parquet")
    assert places["picture"].to_pylist() == ["placed.tif"]
    assert shapely.from_wkb(places["geometry"][0].as_py()).geom_type == "Polygon"
    item = json.loads((tmp_path / "run" / "places.parquet.stac.json").read_text("utf-8"))
    validate_stac(item)
    assert item["bbox"] == pytest.approx(shapely.from_wkb(places["geometry"][0].as_py()).bounds, abs=1e-6)
    assert [product.kind for product in manifest.products].count("picture") == 2
    assert {product.name: product.kind for product in manifest.products}["places"] == "vector"


def test_pictures_without_a_place_make_no_map(bundle, photos: Path, tmp_path: Path, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr("arpent.store.run.remember", lambda path, names: seen.extend(names))
    plain = str(photos / "plain.jpg")
    made = label_pictures([plain], bundle("image"), Place(exact=tmp_path / "run"), LabelSettings(runtime="torch"))
    assert made.placed == 0
    assert made.run.manifest.warnings == (), "who labels a photograph need not know of the training's captions"
    assert not list((tmp_path / "run").glob("places*"))
    assert "labels.csv" in seen
    assert "places.parquet" not in seen, "a run that is killed shows nothing that it has not in the end"
    assert {file.name for file in made.figures.values()} == {"figure.png"}


def test_what_cannot_be_read_is_named_and_the_others_go_on(bundle, photos: Path, tmp_path: Path, capsys) -> None:
    bomb(photos / "bomb.png")
    (photos / "cut.jpg").write_bytes((photos / "plain.jpg").read_bytes()[:200])
    words = ["classify", "predict", photos, photos / "gone.jpg", "-m", bundle("late"), "-o", tmp_path / "run"]
    code = main([*map(str, words), "--runtime", "torch", "--figures", "0"])
    told = capsys.readouterr()
    assert code == 9
    assert "3 of 6 pictures got no labels" in told.err
    assert "plain.jpg" in told.out
    manifest = open_run(tmp_path / "run").manifest
    assert manifest.status == "partial"
    assert {Path(failure.item).name for failure in manifest.failures} == {"bomb.png", "cut.jpg", "gone.jpg"}


def test_one_picture_that_cannot_be_read_is_the_error_itself(bundle, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too large"):
        label_pictures(
            [str(bomb(tmp_path / "bomb.png"))],
            bundle("image"),
            Place(exact=tmp_path / "run"),
            LabelSettings(runtime="torch"),
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("way", ["text", "late", "gated"])
def test_a_caption_alone_gets_labels(bundle, way: str, tmp_path: Path) -> None:
    long = "a place with rows " + "and more of it " * 12
    plain = label_pictures([], bundle(way), Place(exact=tmp_path / "plain"), LabelSettings(), caption="place with rows")
    assert plain.first[0].labels == ("striped",)
    settings = LabelSettings(runtime="torch", language="fr")
    made = label_pictures([], bundle(way), Place(exact=tmp_path / "run"), settings, caption=long)
    (told,) = made.first
    assert "striped" in told.labels
    assert "coupés" in told.notes and "ignore" in told.notes
    assert made.run.manifest.warnings == ("FUITE",)
    with pytest.raises(InputError, match="nothing of"):
        label_pictures([], bundle(way), Place(exact=tmp_path / "none"), settings, caption="… !")


def test_what_a_model_does_not_read_is_said(bundle, photos: Path, tmp_path: Path) -> None:
    plain, settings = str(photos / "plain.jpg"), LabelSettings(runtime="torch", figures=0)
    image = label_pictures([plain], bundle("image"), Place(exact=tmp_path / "a"), settings, caption="with rows")
    assert image.first[0].labels == ("red",)
    assert image.first[0].notes == "the model reads no captions"
    text = label_pictures([plain], bundle("text"), Place(exact=tmp_path / "b"), settings, caption="place with rows")
    assert text.first[0].labels == ("striped",)
    assert text.first[0].notes == "the model looks at no pictures"
    with pytest.raises(InputError, match="nothing of"):
        label_pictures([plain], bundle("text"), Place(exact=tmp_path / "c"), settings)


def test_an_evaluation_counts_what_absence_costs(bundle, red_or_striped: Path, tmp_path: Path, capsys) -> None:
    settings = LabelEvaluationSettings(runtime="torch", draws=40)
    done = evaluate_labeller(red_or_striped, bundle("late"), Place(exact=tmp_path / "run"), settings)
    assert set(done.reached) == {"complete", "text_absent", "image_absent"}
    assert done.reached["complete"].mean("map") > 0.8
    assert done.unseen is None, "every caption of the tests is known from training"
    names = {product.name for product in done.run.manifest.products}
    assert {"chances", "metrics", "report", "curves", "reliability", "labels"} <= names
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))
    assert figures["conditions"]["complete"]["pictures"] == 10
    assert set(figures["conditions"]["complete"]["labels"]) == {"red", "striped"}
    assert "LABELS LEAK" in (tmp_path / "run" / "report.html").read_text("utf-8")
    one = ["classify", "evaluate", red_or_striped, "-m", bundle("image"), "-o", tmp_path / "image", "--draws", "20"]
    assert main([*map(str, one), "--runtime", "torch", "--language", "fr"]) == 0
    told = capsys.readouterr().out
    assert "image seule" in told and "image et légende" not in told, "it reads no captions"


def test_a_model_with_other_labels_is_not_judged(bundle, red_or_striped: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    dataset = Dataset.read(red_or_striped)
    facts = dataset.facts.model_copy(
        update={"labels": ("red", "spotted"), "root": str(red_or_striped.parent / "pictures")}
    )
    Dataset.write(other, facts, dataset.pictures)
    with pytest.raises(DatasetError, match="spotted"):
        evaluate_labeller(other, bundle("image"), Place(exact=tmp_path / "run"), LabelEvaluationSettings())


def test_a_label_is_explained_by_places_and_by_words(bundle, photos: Path, tmp_path: Path, capsys) -> None:
    words = ["classify", "explain", photos / "plain.jpg", "-m", bundle("late"), "-o", tmp_path / "run"]
    assert main([*map(str, words), "--caption", "a place with fire", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["labels"]) == ["red"]
    weights = {one["word"]: one["weight"] for one in document["labels"]["red"]["words"]}
    assert max(weights, key=weights.get) == "fire"
    assert Path(document["labels"]["red"]["figure"]).read_bytes().startswith(b"\x89PNG")
    text = explain_labels(
        None, "with rows", bundle("text"), Place(exact=tmp_path / "b"), ExplainSettings(labels=("red",))
    )
    assert list(text.chances) == ["red"]
    with pytest.raises(UnknownName, match="striped"):
        explain_labels(None, "rows", bundle("text"), Place(exact=tmp_path / "c"), ExplainSettings(labels=("stripes",)))
    with pytest.raises(InputError, match="nothing that the model reads"):
        explain_labels(None, "!", bundle("text"), Place(exact=tmp_path / "d"), ExplainSettings())
    assert not (tmp_path / "d").exists()


class _Colours(torch.nn.Module):
    """An encoder whose maps are the colours themselves."""

    def forward_features(self, image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(image, 4)

    def forward_head(self, maps: torch.Tensor, *, pre_logits: bool) -> torch.Tensor:
        assert pre_logits
        return maps.mean((2, 3))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(image), pre_logits=True)


@pytest.fixture
def sees_red() -> Asked:
    """A labeller by hand: the first label is redness, the second the lack of it."""
    settings = LabellerSettings(labels=2, image=ImageBranchSettings(encoder="test_efficientnet", side=SIDE, hidden=2))
    model = build_labeller(settings)
    model.encoder, model.head = _Colours(), LabellingHead(settings, 3)
    with torch.no_grad():
        model.head.image.vector.weight.copy_(torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]))
        model.head.image.vector.bias.fill_(3.0)  # so that neither is cut off at zero
        model.head.image.scores.weight.copy_(torch.tensor([[2.0, 0], [0, 2.0]]))
    contract = Contract(
        task="classify", architecture="labeller", bands=(), recipe={"labels": ("red", "not")}, arpent="0"
    )
    opened = OpenedLabeller(model.eval(), contract, Path("by-hand"), None, Squares(SIDE, BYTES))
    return Asked(opened, TorchNetwork(model.encoder, torch.device("cpu")))


def test_heat_lies_where_the_label_comes_from(sees_red: Asked, tmp_path: Path) -> None:
    picture = np.full((SIDE, SIDE, 3), 60, np.uint8)
    picture[:, : SIDE // 2, 2] = 230
    cv2.imwrite(str(tmp_path / "half.png"), picture)
    seen = seen_by(sees_red, tmp_path / "half.png", None)
    red, other = (heat_of(sees_red, seen, label) for label in (0, 1))
    assert red is not None and other is not None
    half = SIDE // 2
    assert red[:, : half - 4].min() > 0.9 and red[:, half + 4 :].max() < 0.1
    assert other[:, half + 4 :].min() > 0.9 and other[:, : half - 4].max() < 0.1
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((SIDE, SIDE, 3), 60, np.uint8))
    painted = heat_of(sees_red, seen_by(sees_red, tmp_path / "grey.png", None), 0)
    assert painted is not None and not painted.any(), "no place speaks for red where nothing is"


def test_a_run_that_was_stopped_goes_on_to_the_same_tables(
    bundle, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LabelSettings(runtime="torch", figures=1, batch_size=1)

    def run(name: str, *, resume: bool = False) -> LabelRun:
        return label_pictures([str(photos)], bundle("image"), Place(exact=tmp_path / name, resume=resume), settings)

    whole = run("whole")
    asked: list[int] = []
    chances = Asked.chances

    def stopped(self: Asked, *given: Any, **more: Any) -> Any:
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return chances(self, *given, **more)

    monkeypatch.setattr(Asked, "chances", stopped)
    monkeypatch.setattr("arpent.tasks.classify.predicting.KEPT_EVERY", 0.0)
    with pytest.raises(Interrupted):
        run("stopped")
    assert not (tmp_path / "stopped" / "labels.csv").exists(), "what is not finished does not look so"
    again = run("stopped", resume=True)
    assert len(asked) == 2 + 2, "the first picture is not asked again"
    assert (again.count, again.first) == (whole.count, whole.first)
    for name in ("labels.csv", "labels.jsonl", "places.parquet"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_another_process_gives_the_same_labels(bundle, photos: Path, tmp_path: Path, elsewhere) -> None:
    settings = LabelSettings(runtime="torch", figures=1, batch_size=2)
    whole = label_pictures([str(photos)], bundle("image"), Place(exact=tmp_path / "whole"), settings)
    with elsewhere():
        again = label_pictures([str(photos)], bundle("image"), Place(exact=tmp_path / "elsewhere"), settings)
    assert (again.count, again.first) == (whole.count, whole.first)
    for name in ("labels.csv", "labels.jsonl", "places.parquet"):
        assert (tmp_path / "elsewhere" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_openvino_gives_the_labels_of_torch(bundle, photos: Path, tmp_path: Path) -> None:
    told = {}
    for runtime in ("torch", "openvino"):
        settings = LabelSettings(runtime=runtime, figures=0)
        made = label_pictures([str(photos)], bundle("image"), Place(exact=tmp_path / runtime), settings)
        told[runtime] = [list(one.chances.values()) for one in made.first]
    assert np.allclose(told["torch"], told["openvino"], atol=1e-4)
