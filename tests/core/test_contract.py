"""What a model demands of its images."""

import pytest
from pydantic import ValidationError

from arpent.core import Contract, Normalisation, nomenclature, sensor

MODEL = Contract(
    task="landcover",
    architecture="unet",
    bands=sensor("bd-ortho").bands,
    gsd=0.2,
    dtype="uint8",
    normalisation=Normalisation(origin="test", mean=(1, 2, 3, 4), std=(1, 1, 1, 1)),
    classes=nomenclature("commune"),
    arpent="0.1.0",
)


def test_bands_fit_by_name_in_any_order() -> None:
    assert MODEL.differences(["NIR", "Red", "vert", "bleu"], 0.2, "uint8") == []


def test_each_difference_is_a_sentence() -> None:
    reasons = MODEL.differences(["red", "green", "blue"], 10.0, "uint16")
    assert reasons == [
        "band 'nir' is missing (the image has red, green, blue)",
        "pixels of 10 m where the model was made for 0.2 m",
        "pixels of type uint16 where the model was trained on uint8",
    ]


def test_bands_that_are_missing_are_named_together() -> None:
    assert MODEL.differences(["red", "swir16"], 0.2, "uint8") == [
        "bands green, blue, nir are missing (the image has red, swir16)"
    ]


@pytest.mark.parametrize(
    ("gsd", "fits"), [(0.2, True), (0.29, True), (0.3004, True), (0.14, True), (0.31, False), (0.13, False)]
)
def test_half_as_large_again_still_fits(gsd: float, fits: bool) -> None:
    assert (MODEL.differences(MODEL.band_names, gsd, "uint8") == []) is fits


def test_an_unknown_resolution_is_not_a_difference() -> None:
    assert MODEL.differences(MODEL.band_names, None, "uint8") == []


def test_a_contract_survives_json_and_refuses_what_it_does_not_know() -> None:
    again = Contract.model_validate_json(MODEL.model_dump_json())
    assert again == MODEL
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Contract.model_validate({**MODEL.model_dump(), "colour": "red"})
    with pytest.raises(ValidationError, match="greater than 0"):
        Normalisation(origin="x", mean=(0.0,), std=(0.0,))
