import json

import pytest

from arpent.core import Contract
from arpent.models import mlm_metadata, published_model


def test_the_properties_that_the_extension_requires_are_there(small_contract: Contract) -> None:
    metadata = mlm_metadata(small_contract)
    required = ("mlm:name", "mlm:architecture", "mlm:framework", "mlm:tasks", "mlm:input", "mlm:output")
    assert all(metadata[key] for key in required)
    assert metadata["mlm:name"] == "landcover-unet"
    assert metadata["mlm:tasks"] == ["semantic-segmentation"]
    json.dumps(metadata, allow_nan=False)


def test_bands_are_named_in_the_input_and_described_beside_it(small_contract: Contract) -> None:
    metadata = mlm_metadata(small_contract)
    assert metadata["mlm:input"][0]["bands"] == [band["name"] for band in metadata["bands"]]
    assert metadata["bands"][3] == {"name": "nir", "eo:center_wavelength": 0.83} | (
        {"eo:common_name": "nir"} if small_contract.bands[3].common else {}
    )
    assert metadata["mlm:input"][0]["input"]["shape"] == [-1, 4, -1, -1]


def test_the_scaling_turns_pixels_into_input_as_the_contract_does(small_contract: Contract) -> None:
    scaling = mlm_metadata(small_contract)["mlm:input"][0]["value_scaling"][0]
    ours = (200 * small_contract.normalisation.scale - 0.4) / 0.2
    assert scaling["type"] == "z-score"
    assert (200 - scaling["mean"]) / scaling["stddev"] == pytest.approx(ours)


def test_a_rule_that_ends_in_zero_to_one_is_told_by_its_ends(small_contract: Contract) -> None:
    of_croma = small_contract.model_copy(update={"normalisation": published_model("croma-base").images.normalisation()})
    scaling = mlm_metadata(of_croma)["mlm:input"][0]["value_scaling"][1]
    assert scaling == {"type": "min-max", "minimum": 1189 - 2 * 1859, "maximum": 1189 + 2 * 1859}


def test_classes_are_listed_with_their_numbers_in_files(small_contract: Contract) -> None:
    output = mlm_metadata(small_contract)["mlm:output"][0]
    assert output["result"]["shape"] == [-1, 11, -1, -1]
    assert output["classification:classes"][1] == {
        "value": 3,
        "name": "impervious-surface",
        "title": "impervious surface",
        "color_hint": "F80C00",
    }


def test_a_model_of_whole_pictures_gives_scores_per_picture(small_contract: Contract) -> None:
    contract = small_contract.model_copy(update={"task": "classify", "classes": None, "recipe": {}, "licence": "MIT"})
    metadata = mlm_metadata(contract)
    assert metadata["mlm:output"][0]["result"]["dim_order"] == ["batch", "class"]
    assert "mlm:hyperparameters" not in metadata
    assert metadata["license"] == "MIT"


def test_bands_of_their_own_pixel_size_say_so(small_contract: Contract) -> None:
    bands = published_model("croma-base").images.described_bands()
    described = mlm_metadata(small_contract.model_copy(update={"bands": bands, "normalisation": None}))
    assert described["bands"][0]["gsd"] == 60.0
    assert "value_scaling" not in described["mlm:input"][0]
