"""The bundles that come with Arpent: each can be made anew, and is as good as it says on land that it has not seen."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from arpent.core import load_yaml, parse
from arpent.core.bundle import read_contract
from arpent.core.settings import Settings
from arpent.demo.recipes import judge_bundle, make_bundle, recipe_named, recipe_names
from arpent.demo.recipes.change import lesson
from arpent.demo.recipes.packing import pack_network
from arpent.demo.recipes.recipe import spoken
from arpent.errors import UnknownName
from arpent.models import load_bundle, save_bundle
from arpent.models.shipped import shipped_bundle
from arpent.store import bundle_in
from arpent.tasks.change import ChangeTrainSettings

_NEAR = 0.02
"""How far a figure may lie from the recorded one: other processors round otherwise."""


def test_a_command_is_said_with_what_differs_from_its_defaults():
    class Inner(Settings):
        rate: float = 0.1

    class Wishes(Settings):
        dataset: str = ""
        widths: tuple[int, ...] = (1,)
        batch_size: int = 8
        joint: bool = True
        inner: Inner = Inner()

    wishes = Wishes(dataset="d", widths=(8, 16), joint=False, inner=Inner(rate=0.5))
    said = spoken("train d -o run", wishes, without=("dataset",))
    assert said == "arpent train d -o run --widths 8,16 --no-joint --set inner.rate=0.5"


def test_an_unknown_recipe_is_named_with_those_that_there_are():
    with pytest.raises(UnknownName, match="classify-nano"):
        recipe_named("classify-nanno")


def test_the_model_of_change_learns_as_the_example_says(root):
    """Its contract says: by this file."""
    told = parse(ChangeTrainSettings, load_yaml(root / "examples" / "change" / "train_nano.yaml"), "the example")
    assert lesson(told.pairs) == told


@pytest.mark.parametrize("name", recipe_names())
def test_each_recipe_has_a_bundle_that_is_found_by_its_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = shipped_bundle(name)
    assert shipped is not None
    assert bundle_in(name) == shipped
    chosen, contract = recipe_named(name), read_contract(shipped)
    assert contract.recipe["seed"] == chosen.seed != chosen.judged_by == contract.recipe["judged_by"]
    (tmp_path / name).mkdir()
    assert bundle_in(name).resolve() != shipped, "what lies here goes before what is shipped"


def _local(value):
    """What of a contract looks like a path of the machine where it was written."""
    if isinstance(value, dict):
        return [found for name, one in value.items() for found in _local(one)]
    if isinstance(value, list):
        return [found for one in value for found in _local(one)]
    return [value] if isinstance(value, str) and re.match(r"/|~|\w:[\\/]", value) else []


@pytest.mark.parametrize("name", recipe_names())
def test_the_contract_of_a_shipped_bundle_names_no_file_of_its_maker(name):
    contract = read_contract(shipped_bundle(name)).model_dump(mode="json")
    assert _local(contract) == []
    settings = contract["recipe"]["settings"]
    named = {"captions", "dataset", "embeddings", "images", "index", "pairs", "segmentation", "table"} & set(settings)
    assert [settings[one] for one in named if settings[one] is not None] == [], "a name that says nothing elsewhere"


@pytest.mark.parametrize("name", recipe_names())
def test_packing_a_shipped_bundle_again_changes_nothing_of_it(name, tmp_path):
    """What is shipped has weights of 16 bits, and the contract that it would get now."""
    shipped = shipped_bundle(name)
    again = recipe_named(name).pack(shipped, tmp_path / shipped.name, {}, {})
    files = [again] if again.is_file() else sorted(path for path in again.rglob("*") if path.is_file())
    beside = {path: shipped / path.relative_to(again) if again.is_dir() else shipped for path in files}
    changed = {path.name for path in files if path.read_bytes() != beside[path].read_bytes()}
    assert changed - _written_by_other_releases(shipped) == set()


def _written_by_other_releases(bundle: Path) -> set[str]:
    """Files of a bundle that transformers and peft write, each release in its own way; empty with those that did."""
    if not bundle.is_dir():
        return set()
    language, lora = (
        json.loads((bundle / name).read_text()) for name in ("base/config.json", "lora/adapter_config.json")
    )
    wrote = {"transformers": language["transformers_version"], "peft": lora["peft_version"]}
    names = {"config.json", "generation_config.json", "tokenizer_config.json", "adapter_config.json"}
    names.add("bundle.json")  # which has their hashes
    return set() if wrote == {name: version(name) for name in wrote} else names


def test_a_freshly_packed_contract_names_no_file_of_its_maker(tmp_path):
    source = shipped_bundle("forecast-nano")
    bundle = load_bundle(source)
    local = {"dataset": "rivers", "segmentation": str(tmp_path / "seen"), "pairs": str(tmp_path / "index.csv")}
    recipe = {**bundle.contract.recipe, "settings": {**bundle.contract.recipe["settings"], **local}}
    trained = save_bundle(
        tmp_path / "trained.safetensors", bundle.model, bundle.contract.model_copy(update={"recipe": recipe})
    )
    assert _local(read_contract(trained).model_dump(mode="json"))
    packed = read_contract(pack_network(trained, tmp_path / "packed.safetensors", {"seed": 1}, {}))
    assert _local(packed.model_dump(mode="json")) == []
    settings = packed.recipe["settings"]
    assert not set(local) & set(settings)
    assert settings["hidden"] == recipe["settings"]["hidden"]


@pytest.mark.slow
@pytest.mark.parametrize("name", recipe_names())
def test_a_bundle_can_be_made_anew(name, tmp_path):
    shipped = shipped_bundle(name)
    made = make_bundle(name, tmp_path / shipped.name, tmp_path / "work", small=True)
    ours, theirs = read_contract(made), read_contract(shipped)
    assert ours.architecture == theirs.architecture
    assert ours.licence == theirs.licence
    assert _local(ours.model_dump(mode="json")) == []
    assert set(ours.metrics) >= {one for one in theirs.metrics if one.startswith("judged/")}
    assert [step.split(" -o ")[0].split(" --")[0] for step in ours.recipe["made_by"]] == [
        step.split(" -o ")[0].split(" --")[0] for step in theirs.recipe["made_by"]
    ]


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_bundle_is_as_good_as_it_says(name, tmp_path):
    bundle = shipped_bundle(name)
    claimed = read_contract(bundle).metrics
    found = judge_bundle(name, bundle, tmp_path)
    assert found == {figure: pytest.approx(claimed[figure], abs=_NEAR) for figure in found}
