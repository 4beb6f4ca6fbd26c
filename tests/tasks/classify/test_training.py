"""Labels learnt from a DATASET: by what pictures show, by what captions say, and by both."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from arpent.core import Normalisation
from arpent.errors import (
    ContractMismatch,
    DatasetError,
    EmptySplit,
    InvalidSetting,
    RunExists,
    UnknownName,
    UnreadableFile,
    WeightsMissing,
)
from arpent.models import Labeller, build, load_bundle, save_bundle
from arpent.store import Place
from arpent.store.bundle import read_contract
from arpent.tasks.classify.beginning import begin
from arpent.tasks.classify.dataset import Dataset
from arpent.tasks.classify.labelling import OpenedLabeller
from arpent.tasks.classify.train_settings import ClassifyTrainSettings
from arpent.tasks.classify.training import last_blocks, train_labeller
from arpent.tasks.classify.ways import names_of

BOTH = np.ones((1, 2), np.bool_)
"""A picture and a caption."""


def answers(opened, pictures, *, image=True, text=True):
    """Chances of pictures, by their first captions."""
    head, width = opened.labeller.head, 0
    codes = torch.zeros(len(pictures), 1, dtype=torch.long)
    if text and opened.reads_text:
        codes = torch.from_numpy(
            np.stack([opened.codes(one.captions[0] if one.captions else "").ids for one in pictures])
        )
    features = torch.zeros(len(pictures), width)
    with torch.inference_mode():
        if opened.reads_images:
            seen = torch.from_numpy(np.stack([opened.read(one.path) for one in pictures]))
            features = opened.labeller.encoder(seen)
        if opened.reads_text and not text:
            codes = torch.zeros(len(pictures), opened.coder.length, dtype=torch.long)
        there = torch.stack([torch.full((len(pictures),), image), (codes > 0).any(1)], 1)
        return torch.sigmoid(head(features, codes, there).logits).numpy()


def test_a_reader_of_captions_learns_what_words_tell(branches, red_or_striped) -> None:
    opened, dataset = OpenedLabeller.open(branches / "text"), Dataset.read(red_or_striped)
    assert (opened.reads_images, opened.reads_text, opened.labels) == (False, True, ("red", "striped"))
    pictures = [one for one in dataset.of_split("test") if one.captions]
    said = answers(opened, pictures) >= opened.thresholds_for(BOTH)
    assert (said == dataset.truth(pictures).astype(bool)).mean() >= 0.85


def test_a_bundle_says_all_that_a_prediction_needs(fusion, red_or_striped) -> None:
    contract = read_contract(fusion.file("model"))
    assert contract.task == "classify"
    assert contract.architecture == "labeller"
    assert contract.band_names == ("red", "green", "blue")
    assert contract.dtype == "uint8"
    assert isinstance(contract.normalisation, Normalisation)
    recipe = contract.recipe
    assert recipe["labels"] == ["red", "striped"]
    assert recipe["vocabulary"] == Dataset.read(red_or_striped).vocabulary.document()
    assert len(recipe["thresholds"]) == 2
    assert all(0.1 <= cut <= 0.9 for cut in recipe["thresholds"])
    assert len(recipe["temperatures"]) == 3
    assert recipe["masked"] is False
    opened = OpenedLabeller.open(fusion.path)
    assert opened.thresholds_for(BOTH)[0] == pytest.approx(recipe["thresholds"], abs=1e-4)
    kept = opened.labeller.head.get_buffer("thresholds")
    shown = np.array([[True, False], [False, True], [True, True]])
    assert opened.thresholds_for(shown) == pytest.approx(kept.numpy())  # each has its own
    assert kept.shape == (3, 2)
    assert (opened.side, opened.channels, opened.leaks("en")) == (32, 3, ())
    assert len(opened.identity) == 64


def test_a_fusion_keeps_its_branches_as_they_were(fusion, branches) -> None:
    whole = load_bundle(fusion.file("model")).model
    assert isinstance(whole, Labeller)
    for name in ("image", "text"):
        alone = OpenedLabeller.open(branches / name).labeller.head
        for key, tensor in getattr(alone, name).state_dict().items():
            assert torch.equal(getattr(whole.head, name).state_dict()[key], tensor), key
    hot = [OpenedLabeller.open(branches / name).labeller.head.get_buffer("tempers") for name in ("image", "text")]
    assert whole.head.get_buffer("tempers").tolist() == [hot[0][0], hot[1][1]]
    seen = OpenedLabeller.open(branches / "image").labeller.encoder.state_dict()
    assert all(torch.equal(seen[key], tensor) for key, tensor in whole.encoder.state_dict().items())


def test_a_picture_without_caption_and_a_caption_without_picture_are_answered(fusion, red_or_striped) -> None:
    opened, pictures = OpenedLabeller.open(fusion.path), Dataset.read(red_or_striped).of_split("test")
    both, image, text = (answers(opened, pictures, **there) for there in ({}, {"text": False}, {"image": False}))
    assert not np.allclose(both, image)
    assert not np.allclose(both, text)
    assert np.isfinite([both, image, text]).all()


def test_the_manifest_tells_inputs_figures_and_curves(fusion) -> None:
    manifest = json.loads((fusion.path / "manifest.json").read_text())
    assert [one["role"] for one in manifest["inputs"]] == ["dataset", "branch", "branch"]
    assert {"validation/map", "validation/micro_f1", "validation/loss"} <= set(manifest["metrics"])
    assert {"model", "curves", "history"} <= {one["name"] for one in manifest["products"]}


def test_a_fusion_from_nothing_trains_its_branches_first(train, tmp_path) -> None:
    run = train(tmp_path / "run", fusion="late", epochs=1, mask_labels=True)
    whole = load_bundle(run.file("model")).model
    assert whole.settings.fusion == "late"
    assert read_contract(run.file("model")).recipe["masked"] is True
    assert OpenedLabeller.open(run.path).codes("a red place").unknown == 0  # the word is taken out before


def test_the_same_seed_gives_the_same_weights_and_a_training_resumes_to_them(
    train, tiny, tmp_path, monkeypatch
) -> None:
    from arpent.engine import training as loop

    whole = train(tmp_path / "whole", branch="text", epochs=4, seed=3)
    begun = loop._Trainer._train_epoch

    def interrupted(self, batches, bar):
        if self.state.epoch == 2:
            raise KeyboardInterrupt
        return begun(self, batches, bar)

    monkeypatch.setattr(loop._Trainer, "_train_epoch", interrupted)
    with pytest.raises(Exception, match="finished epochs are kept"):
        train(tmp_path / "again", branch="text", epochs=4, seed=3)
    monkeypatch.undo()
    with pytest.raises(RunExists):
        train(tmp_path / "again", branch="text", epochs=4, seed=3)
    settings = {**tiny, "branch": "text", "epochs": 4, "seed": 3}
    first = json.loads((whole.path / "manifest.json").read_text())["settings"]
    given = ClassifyTrainSettings(**{**settings, "dataset": first["dataset"], "features": first["features"]})
    again = train_labeller(given, Place(exact=tmp_path / "again", resume=True))
    one, other = (load_bundle(run.file("model")).model.state_dict() for run in (whole, again))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_the_last_blocks_of_the_encoder_learn_along_and_no_others(train, branches, tmp_path) -> None:
    run = train(tmp_path / "run", branch="image", epochs=1, unfreeze=1, unfreeze_epochs=1)
    before = OpenedLabeller.open(branches / "image").labeller.encoder.state_dict()
    after = OpenedLabeller.open(run.path).labeller.encoder.state_dict()
    moved = {key.rpartition(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert moved
    assert all(key.startswith(("blocks.6", "conv_head", "bn2")) for key in moved)


def test_last_blocks_by_name() -> None:
    mobile = build("timm", {"name": "mobilenetv2_100"})
    assert last_blocks(mobile, 1) == ("blocks.6", "conv_head", "bn2")
    assert last_blocks(build("timm", {"name": "resnet18"}), 2) == ("layer4.0", "layer4.1")
    assert last_blocks(mobile, 99)[0] == "conv_stem"


def test_pictures_of_more_bands_begin_with_a_stem_of_more_bands(tiny, tmp_path) -> None:
    import rasterio

    from arpent.tasks.classify.dataset import DatasetFacts, Picture

    rng, pictures = np.random.default_rng(0), []
    (tmp_path / "scenes").mkdir()
    (tmp_path / "dataset").mkdir()
    for number in range(12):
        wet = number % 2
        file = tmp_path / "scenes" / f"{number:02}.tif"
        pixels = rng.integers(800, 1200, (4, 36, 40)).astype(np.uint16)
        pixels[3] += 0 if wet else 3000
        with rasterio.open(
            file, "w", driver="GTiff", width=40, height=36, count=4, dtype="uint16", crs="EPSG:32630",
            transform=rasterio.Affine(10, 0, 500_000, 0, -10, 4_600_000),
        ) as sink:  # fmt: skip
            sink.write(pixels)
            sink.descriptions = ("B04", "B03", "B02", "B08")
        side = ("train", "train", "train", "val")[number // 3]
        pictures.append(Picture(file.name, file, side, np.array([wet], np.uint8), (), f"{number:064}"))
    facts = DatasetFacts(source="folder", root="../scenes", labels=("water",), labels_from="file")
    Dataset.write(tmp_path / "dataset", facts, pictures)
    weights = tmp_path / "encoder.safetensors"
    from safetensors.torch import save_file

    torch.manual_seed(0)
    encoder = build("timm", {"name": "mobilenetv2_100"})
    save_file({key: value.contiguous() for key, value in encoder.state_dict().items()}, weights)
    bands = ("B04", "B03", "B02", "B08")
    given = {**tiny, "pretrained": str(weights), "bands": bands, "sensor": "sentinel-2-l2a", "branch": "image"}
    settings = ClassifyTrainSettings(**given, dataset=str(tmp_path / "dataset"), epochs=2)
    run = train_labeller(settings, Place(exact=tmp_path / "run"))
    opened = OpenedLabeller.open(run.path)
    assert opened.contract.band_names == bands
    assert opened.labeller.encoder.conv_stem.weight.shape[1] == 4
    shown = opened.read(pictures[0].path)
    assert shown.shape == (4, 32, 32)
    assert abs(shown[:3].mean()) < 0.5  # brought to mean 0 by what was measured
    assert opened.contract.normalisation.origin == "labeller, training split"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"image_encoder": "resnet18", "pretrained": None}, InvalidSetting, "no weights of the encoder 'resnet18'"),
        ({"image_encoder": "mobilenet"}, UnknownName, "no image encoder of timm is called 'mobilenet'"),
        ({"text_encoder": "nowhere", "branch": "text"}, WeightsMissing, "no transformer with its tokenizer"),
        ({"bands": ("red", "nir"), "pixels": "unit"}, InvalidSetting, "'pixels' is about bytes"),
        ({"best": "maps"}, UnknownName, "Did you mean 'map'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_learnt(train, tmp_path, changes, error, words) -> None:
    with pytest.raises(error, match=words):
        train(tmp_path / "run", **{"epochs": 1, **changes})


def test_a_data_set_without_captions_or_labels_says_what_can_be_learnt(train, red_or_striped, tmp_path) -> None:
    whole = Dataset.read(red_or_striped)
    for name, change in (
        ("silent", {"captions": ()}),
        ("masked", {"captions": ("",)}),
        ("plain", {"labels": np.zeros(2, np.uint8)}),
    ):
        (tmp_path / name).mkdir()
        facts = whole.facts.model_copy(update={"root": str(whole.pictures[0].path.parent)})
        pictures = [replace(one, **(change if name != "plain" or one.split == "val" else {})) for one in whole.pictures]
        Dataset.write(tmp_path / name, facts, pictures)
    for name in ("silent", "masked"):
        with pytest.raises(EmptySplit, match=r"no picture in the split 'train' .* has a caption with words"):
            train(tmp_path / "run", dataset=str(tmp_path / name), branch="text", epochs=1)
    with pytest.raises(DatasetError, match="bears a label, so mAP cannot pick the best epoch"):
        train(tmp_path / "run", dataset=str(tmp_path / "plain"), branch="text", epochs=1)
    train(tmp_path / "run", dataset=str(tmp_path / "plain"), branch="text", epochs=1, best="loss")


def test_branches_that_do_not_fit_are_refused(train, branches, fusion, tmp_path) -> None:
    image, text = str(branches / "image"), str(branches / "text")
    with pytest.raises(InvalidSetting, match="two models of the image branch"):
        train(tmp_path / "a", start=(image, image))
    with pytest.raises(InvalidSetting, match="is a fusion already"):
        train(tmp_path / "b", start=(str(fusion.path),))
    with pytest.raises(InvalidSetting, match="only a fusion is built on branches"):
        train(tmp_path / "c", start=(image,), branch="image")
    with pytest.raises(ContractMismatch, match="learnt from captions with the words of labels"):
        train(tmp_path / "d", start=(text,), mask_labels=True)
    bundle = load_bundle(branches / "image" / "model.safetensors")
    other = bundle.contract.model_copy(update={"recipe": {**bundle.contract.recipe, "labels": ["red", "round"]}})
    save_bundle(tmp_path / "other.safetensors", bundle.model, other)
    with pytest.raises(ContractMismatch, match="gives other labels"):
        train(tmp_path / "e", start=(str(tmp_path / "other.safetensors"),))
    other = bundle.contract.model_copy(update={"recipe": {**bundle.contract.recipe, "learnt_from": "others"}})
    save_bundle(tmp_path / "others.safetensors", bundle.model, other)
    with pytest.raises(ContractMismatch, match="learnt from other pictures"):
        train(tmp_path / "f", start=(str(tmp_path / "others.safetensors"),))


def test_a_model_of_another_kind_gives_no_labels(tmp_path, small_contract_bundle) -> None:
    with pytest.raises(ContractMismatch, match="no model that gives labels"):
        OpenedLabeller.open(small_contract_bundle)


@pytest.fixture
def small_contract_bundle(tmp_path):
    from arpent.core import Band, Contract

    model = build("unet", {"channels": 1, "classes": 2, "widths": [4]})
    contract = Contract(
        task="landcover",
        architecture="unet",
        settings={"channels": 1, "classes": 2, "widths": [4]},
        bands=(Band(name="grey"),),
        arpent="0",
    )
    return save_bundle(tmp_path / "unet.safetensors", model, contract)


def test_a_picture_that_cannot_be_read_is_named(train, red_or_striped, tmp_path) -> None:
    import shutil

    home = tmp_path / "home"
    shutil.copytree(red_or_striped.parent, home)
    (home / "pictures" / "07.png").write_bytes(b"no picture")
    with pytest.raises(UnreadableFile, match=r"07\.png"):
        train(tmp_path / "run", dataset=str(home / "dataset"), features=str(tmp_path / "kept"), branch="image")


def test_few_captions_are_read_as_words_of_which_some_name_labels(train, red_or_striped, tmp_path) -> None:
    run = train(tmp_path / "run", branch="text", text_encoder="auto", epochs=20, rate=1e-2)
    opened = OpenedLabeller.open(run.path)
    text = opened.labeller.head.text
    assert opened.labeller.settings.text.reader == "words"
    assert opened.contract.recipe["vocabulary"]["concepts"] == "en"
    assert (opened.codes("some places, fires").ids == opened.codes("some place fire").ids).all()
    assert not text.named.get_buffer("names").any(), "no caption says red or striped"
    dataset = Dataset.read(red_or_striped)
    pictures = [one for one in dataset.of_split("test") if one.captions]
    said = answers(opened, pictures) >= opened.thresholds_for(BOTH)
    assert (said == dataset.truth(pictures).astype(bool)).mean() >= 0.85


@pytest.mark.parametrize(("source", "alike"), [("captions", True), ("same-captions", False)])
def test_words_that_name_labels_are_known_from_the_start(red_or_striped, tiny, source, alike) -> None:
    dataset = Dataset.read(red_or_striped)
    facts = dataset.facts.model_copy(update={"labels": ("fire", "row"), "labels_from": source})
    begun = begin(
        ClassifyTrainSettings(**{**tiny, "branch": "text", "text_encoder": "words"}), replace(dataset, facts=facts)
    )
    numbers, names = begun.lesson.coder.numbers, names_of(begun.lesson)
    assert ("rows" in numbers) is not alike, "where words are the labels, each is itself"
    row = numbers["row" if alike else "rows"]
    assert names.nonzero().tolist() == sorted([[numbers["fire"], 0], [row, 1]])


def test_a_transformer_from_a_folder_reads_captions(train, red_or_striped, tmp_path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel

    words = ["[UNK]", *Dataset.read(red_or_striped).vocabulary.words]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path / "bert"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(1)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = BertModel(BertConfig(vocab_size=len(words), **sizes))
    model.save_pretrained(folder)
    run = train(tmp_path / "run", branch="text", text_encoder=str(folder), epochs=2)
    opened = OpenedLabeller.open(run.path)
    reader = opened.labeller.head.text.reader.network
    assert torch.equal(reader.embeddings.word_embeddings.weight, model.embeddings.word_embeddings.weight)  # frozen
    codes = opened.codes("a place with fire")
    assert (codes.known, codes.cut, codes.ids[0]) == (4, 0, words.index("a") + 1)
    assert opened.codes(" ").present is False
    assert opened.codes("place " * 80).cut == 16
