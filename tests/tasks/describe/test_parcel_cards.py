"""Cards of parcels: which measurement a claim is tied to, and what the reader is told."""

import datetime as dt

import pytest

from arpent.language import Measured
from arpent.language.claims import check, parse
from arpent.report import small_picture, tone_of
from arpent.tasks.describe.parcel_cards import Shown, parcel_page
from arpent.tasks.describe.table import Measurement, table_of
from arpent.tasks.describe.texts import Checked, Described

INDICES = {"NDVI": 0.642, "NDMI": 0.104, "EVI2": 0.41, "BSI": -0.1, "NDRE": 0.35, "NBR": 0.3, "NDWI": -0.6}
DAY = dt.date(2021, 7, 21)


def page(text, language="en", profile="arpent", shown_in=None, cloud=None, **own):
    measured = Measured(
        "P1",
        INDICES,
        {"soil": 0.12, "vegetation": 0.8},
        taken=DAY,
        area=41_000.0,
        crop="wheat",
        place="Boadella",
        cloud=cloud,
    )
    table = table_of([Measurement(measured, "image", 410, {"NDVI": 0.08})], tuple(INDICES))
    sentences = parse(text, language, profile)
    findings = list(check(sentences, measured, profile=profile))
    checked = tuple(
        Checked(one.text, one.start, one.end, tuple(findings.pop(0) for _ in one.claims)) for one in sentences
    )
    told = Described("P1", "Boadella", "image", DAY, language, "blind", text, text, checked, **own)
    return parcel_page(Shown([told], table, {}), shown_in or language, title="Parcels")


def marks(made):
    (card,) = made.cards
    (passage,) = card.passages
    return {passage.text[mark.start : mark.end]: mark for mark in passage.marks}


def test_claims_are_tied_to_what_decides_them():
    found = marks(
        page(
            "On 21 July 2021 the vegetation is dense (NDVI of 0.64). Bare soil covers 12% of the 4.1 ha, so that the "
            "ground is well covered. The canopy is dry. The WDRVI is 0.3."
        )
    )
    keys = {words: (mark.key, mark.state) for words, mark in found.items()}
    assert keys["dense"] == keys["0.64"] == ("ndvi", "supported")
    assert keys["12%"] == keys["well covered"] == ("soil", "supported")
    assert keys["dry"] == ("ndmi", "contradicted")
    assert keys["0.3"][1] == "unsupported" and keys["0.3"][0] == ""
    assert found["0.64"].tip == "NDVI measured 0.642 · 410 pixels"
    assert found["12%"].tip == "Bare soil measured 12.0% · 410 pixels"
    assert found["dry"].tip.endswith("contradicted by the pixels")
    area = next(mark for words, mark in found.items() if words.startswith("4.1"))
    assert area.key == "" and area.tip.startswith("measured 4.10")


def test_a_published_name_leads_to_the_index_that_it_stands_for():
    """XVision writes NDWI and means the burn ratio."""
    found = marks(page("The canopy is well hydrated, with a mean NDWI of 0.30.", profile="xvision"))
    assert found["0.30"].key == "nbr" and found["0.30"].tip.startswith("NBR measured 0.300")


def test_measurements_that_are_spoken_of_stand_first():
    (card,) = page("The canopy is moist (NDMI 0.10).").cards
    assert [one.key for one in card.told] == ["ndmi"]
    assert [one.key for one in card.others][:2] == ["ndvi", "evi2"]
    assert next(one for one in card.others if one.key == "ndvi").spread == "± 0.080"
    assert card.order == pytest.approx(0.642)


def test_what_a_parcel_is_and_how_its_text_came_to_be():
    made = page("La végétation est dense.", "fr", cloud=0.1, repairs=2, ended=False)
    (card,) = made.cards
    facts = [fact.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ") for fact in card.facts]
    assert facts == ["Boadella", "21 juillet 2021", "wheat", "4,10 ha", "410 pixels", "100 % visible", "nuages 10 %"]
    assert card.notes[0].startswith("2 phrases ont été remplacées") and "coupée" in card.notes[1]
    assert {what: value for value, what in made.facts}["affirmations contrôlées"] == "1"


def test_the_language_of_the_page_comes_first():
    measured = Measured("P1", INDICES)
    table = table_of([Measurement(measured, "image", 410)], tuple(INDICES))
    texts = [
        Described("P1", "", "image", None, language, "grounded", words)  # type: ignore[arg-type]
        for language, words in (("en", "Dense."), ("fr", "Dense !"))
    ]
    made = parcel_page(Shown(texts, table, {}), "fr", title="Parcelles")
    (card,) = made.cards
    assert [one.language for one in card.passages] == ["fr", "en"]
    assert card.picture is None and card.facts[-1].startswith("100")
    assert "d’après les mesures" in made.lead


def test_equal_pictures_are_equal_bytes():
    import numpy as np

    bands = np.random.default_rng(1).uniform(0, 3000, (3, 20, 20))
    one, two = (small_picture(bands, bands[0] / 3000, tone_of(bands)) for _ in range(2))
    assert one == two and "matplotlib" not in repr(one.colours)
