"""What was measured behind a sentence, by names that a reader knows."""

import pytest

from arpent.web.index.telling import texts_of


def claim(kind, measured, **more):
    known = {"language": "fr", "sentence": 0, "said": "", "axis": "soil", "index": None, "named": None}
    return {**known, "kind": kind, "measured": measured, **more}


def test_shares_of_the_ground_are_told_apart_from_the_index_beside_them():
    claims = [
        claim("extent", 0.0046, named="soil"),
        claim("extent", 0.9869, named="vegetation"),
        claim("value", -0.27, index="BSI"),
        claim("class", 0.0046, index="BSI", named="covered"),
        claim("class", 0.31, index="NDMI", axis="moisture", named="wet"),
        claim("other", float("nan"), index="NDVI"),
    ]
    text = "On compte 0\u202f% de sol nu pour 99\u202f% de végétation (BSI moyen de −0,27)."
    (sentence,) = texts_of({"text_fr": text, "claims": claims})["fr"]
    assert sentence["measured"] == pytest.approx(
        {"sol nu (%)": 0.46, "végétation (%)": 98.69, "BSI": -0.27, "NDMI": 0.31}
    )
