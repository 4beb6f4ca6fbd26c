"""The reader on free text: what is wrong, invented or unmeasured is caught, in both languages; what is right is not.

None of these sentences comes from the grammar. The field: NDVI .723, NDMI .312, EVI2 .522, NDRE .351, BSI -.214,
GNDVI .655, soil 4.2 %, vegetation 93.1 %, cloud 3 %, valid 97 %, 2.53 ha of winter wheat on 3 June 2021; on 15 March
its NDVI was .304 and its NDMI .28.
"""

from dataclasses import replace

import pytest

from arpent.core import Language
from arpent.language import Finding, Measured, check, compose, contradictions, parse

WRONG: list[tuple[Language, str, dict[str, str]]] = [
    # a wrong number
    ("fr", "Le NDVI moyen est de 0,62.", {"0,62": "contradicted"}),
    ("en", "The mean NDVI is 0.62.", {"0.62": "contradicted"}),
    ("fr", "NDVI : 0.73", {"0.73": "contradicted"}),
    ("en", "NDVI of 0,71", {"0,71": "contradicted"}),
    ("fr", "L'humidité du couvert, mesurée par le NDMI, s'élève à −0,31.", {"−0,31": "contradicted"}),
    ("en", "Canopy moisture (NDMI) stands at -0.31.", {"-0.31": "contradicted"}),
    ("fr", "NDMI négatif de moins 0,31", {"0,31": "contradicted"}),
    ("en", "an NDMI of minus 0.31", {"0.31": "contradicted"}),
    ("fr", "L’indice de végétation atteint 0,85 en moyenne.", {"0,85": "contradicted"}),
    ("en", "The vegetation index averages .85", {".85": "contradicted"}),
    ("fr", "NDVI et NDMI valent respectivement 0,72 et 0,52.", {"0,52": "contradicted"}),
    ("en", "NDVI and NDMI are 0.31 and 0.72 respectively.", {"0.31": "contradicted", "0.72": "contradicted"}),
    ("fr", "0,31 de NDVI et 0,72 de NDMI", {"0,31": "contradicted", "0,72": "contradicted"}),
    ("en", "Its NDVI went from 0.30 to 0.82.", {"0.82": "contradicted"}),
    ("fr", "La parcelle a un NDVI de 7,2e-2.", {"7,2e-2": "contradicted"}),
    ("en", "With an NDVI of ٠.٤٢ the crop is alive.", {"٠.٤٢": "contradicted"}),
    ("fr", "La vigueur vaut 0,12.", {"0,12": "contradicted"}),
    ("en", "Bare soil covers 42% of the field.", {"42%": "contradicted"}),
    ("fr", "Le sol nu représente 42 % de la parcelle.", {"42 %": "contradicted"}),
    ("fr", "42 pour cent de sol nu", {"42 pour cent": "contradicted"}),
    ("en", "42 percent of the parcel is bare soil.", {"42 percent": "contradicted"}),
    ("fr", "60 % de végétation et 4 % de sol nu", {"60 %": "contradicted"}),
    ("en", "Vegetation covers 93% and bare soil 30%.", {"30%": "contradicted"}),
    ("fr", "La parcelle mesure 3,1 ha.", {"3,1": "contradicted"}),
    ("en", "The parcel of 1,250 m² is green.", {"1,250": "contradicted"}),
    ("en", "12% of the pixels are cloudy.", {"12%": "contradicted"}),
    ("fr", "Les nuages couvrent 12 % de l’image.", {"12 %": "contradicted"}),
    ("fr", "Vigueur élevée (0,72), humidité élevée (0,52).", {"0,52": "contradicted"}),
    ("en", "**Vigour**: 0.72 (high)\n**Moisture**: 0.72 (high)", {"0.72": "contradicted"}),
    ("fr", "La couverture végétale est de 33 %.", {"33 %": "contradicted"}),
    ("en", "NDVI between 0.6 and 0.8", {"0.6": "contradicted", "0.8": "contradicted"}),
    ("fr", "Un NDVI de zéro virgule quatre.", {"zéro virgule": "unsupported"}),
    ("en", "Forty percent of it is bare.", {"percent": "unsupported", "bare": "contradicted"}),
    ("fr", "Plus de 10 % de sol nu, un NDVI supérieur à 0,8.", {"10 %": "contradicted", "0,8": "contradicted"}),
    ("en", "Less than 2% bare soil, NDVI below 0.7.", {"2%": "contradicted", "0.7": "contradicted"}),
    ("en", "NDVI is higher than 0.75.", {"0.75": "contradicted"}),
    ("fr", "Un NDVI de 62 %.", {"62 %": "contradicted"}),
    ("fr", "La couverture végétale vaut 0,33.", {"0,33": "contradicted"}),
    # a wrong class
    ("fr", "La végétation est clairsemée.", {"clairsemée": "contradicted"}),
    ("en", "The vegetation is sparse.", {"sparse": "contradicted"}),
    ("fr", "La vigueur est faible.", {"faible": "contradicted"}),
    ("en", "Vigour is low.", {"low": "contradicted"}),
    ("fr", "La végétation n’est pas dense.", {"dense": "contradicted"}),
    ("en", "The vegetation isn't dense.", {"dense": "contradicted"}),
    ("fr", "Le couvert paraît sec et la biomasse faible.", {"sec": "contradicted", "faible": "contradicted"}),
    ("en", "The canopy looks dry and the biomass low.", {"dry": "contradicted", "low": "contradicted"}),
    ("fr", "Le couvert subit un stress hydrique marqué.", {"marqué": "contradicted"}),
    ("en", "Severe water stress.", {"Severe": "contradicted"}),
    ("fr", "Le couvert souffre de stress hydrique.", {"stress hydrique": "contradicted"}),
    ("en", "There is water stress.", {"water stress": "contradicted"}),
    ("fr", "Faible biomasse, forte vigueur.", {"Faible": "contradicted"}),
    ("en", "Low biomass, high vigour.", {"Low": "contradicted"}),
    ("fr", "Le sol est presque entièrement nu.", {"presque entièrement nu": "contradicted"}),
    ("en", "The ground is mostly bare.", {"mostly bare": "contradicted"}),
    ("fr", "On voit du sol nu.", {"sol nu": "contradicted"}),
    ("en", "Bare soil is visible.", {"Bare soil": "contradicted"}),
    ("fr", "La couverture végétale est faible.", {"faible": "contradicted"}),
    ("en", "Vegetation cover is low.", {"low": "contradicted"}),
    ("fr", "Aucune végétation.", {"Aucune végétation": "contradicted"}),
    ("en", "No vegetation here.", {"No vegetation": "contradicted"}),
    ("fr", "Un NDVI faible.", {"faible": "contradicted"}),
    ("en", "A low NDVI.", {"low": "contradicted"}),
    ("fr", "Vigueur modérée à forte.", {"modérée": "contradicted"}),
    ("en", "Moderate to high vigour.", {"Moderate": "contradicted"}),
    ("fr", "La vigueur, suivie de près, reste faible.", {"faible": "contradicted"}),
    ("en", "Growth is just beginning.", {"just beginning": "contradicted"}),
    ("fr", "La croissance est peu avancée.", {"peu avancée": "contradicted"}),
    ("fr", "La moitié de la parcelle est en sol nu.", {"La moitié": "contradicted"}),
    ("en", "A third of the field is bare soil.", {"A third": "contradicted"}),
    # the number and the word beside it
    ("fr", "La vigueur est forte (NDVI de 0,12).", {"0,12": "contradicted"}),
    ("en", "Vigour is weak (NDVI of 0.72).", {"weak": "contradicted"}),
    # an invented or unmeasured index
    ("fr", "Le NDXI atteint 0,42.", {"0,42": "unsupported"}),
    ("en", "The NDXI reaches 0.42.", {"0.42": "unsupported"}),
    ("fr", "L’indice ZORG est bon.", {"bon": "unsupported"}),
    ("en", "The NDVVI looks good.", {"good": "unsupported"}),
    ("en", "This was derived from the HGVI.", {"HGVI": "unsupported"}),
    ("fr", "D’après le PVRI, tout va bien.", {"PVRI": "unsupported"}),
    ("fr", "Le MNDWI est de 0,10.", {"0,10": "unsupported"}),
    ("en", "The LAI is 2.1.", {"2.1": "unsupported"}),
    ("en", "The GNDVI is high.", {"high": "unsupported"}),
    # an index renamed
    ("fr", "Le NDMI moyen est de 0,72.", {"0,72": "contradicted"}),
    ("en", "The mean EVI2 is 0.72.", {"0.72": "contradicted"}),
    # what no pixel says
    ("fr", "Le blé est hétérogène.", {"hétérogène": "unsupported"}),
    ("en", "Growth is uniform across the field.", {"uniform": "unsupported"}),
    ("fr", "La culture est en floraison.", {"floraison": "unsupported"}),
    ("en", "The wheat is flowering in spring.", {"flowering": "unsupported", "spring": "unsupported"}),
    ("fr", "Une carence en azote est possible.", {"carence": "unsupported", "azote": "unsupported"}),
    ("en", "The expected yield is 7 tonnes.", {"yield": "unsupported", "7": "unsupported", "tonnes": "unsupported"}),
    ("fr", "Score global : 8.", {"8": "unsupported"}),
    ("en", "Confidence: 95%.", {"95%": "unsupported"}),
    ("fr", "L’humidité du sol est bonne.", {"humidité du sol": "unsupported", "bonne": "unsupported"}),
    ("en", "The slope is high.", {"high": "unsupported"}),
    ("fr", "Vigueur forte sur toute la parcelle.", {"toute la parcelle": "unsupported"}),
    ("en", "High vigour in places.", {"in places": "unsupported"}),
    # another crop
    ("fr", "Cette parcelle de maïs est vigoureuse.", {"maïs": "contradicted"}),
    ("en", "This field of barley is vigorous.", {"barley": "contradicted"}),
    # directions and dates
    ("fr", "Le NDVI diminue.", {"diminue": "contradicted"}),
    ("en", "NDVI is falling.", {"falling": "contradicted"}),
    ("fr", "La végétation est moins dense qu’avant.", {"dense": "contradicted"}),
    ("en", "The vegetation is sparser than before.", {"sparser": "contradicted"}),
    ("fr", "Le NDVI a augmenté de 0,12.", {"0,12": "contradicted"}),
    ("en", "NDVI rose by 0.12 since 15 March 2021.", {"0.12": "contradicted"}),
    ("fr", "Le NDVI est de 0,72, contre 0,50 auparavant.", {"0,50": "contradicted"}),
    ("en", "NDVI is 0.72, compared with 0.50 before.", {"0.50": "contradicted"}),
    ("fr", "Le 4 juin 2021, la vigueur était forte.", {"4 juin 2021": "contradicted", "forte": "unsupported"}),
    ("en", "On 2021-06-04 the NDVI was 0.72.", {"2021-06-04": "contradicted", "0.72": "unsupported"}),
    ("fr", "Le NDVI était de 0,45 le 15 mars 2021.", {"0,45": "contradicted"}),
    ("en", "On March 15, 2021 the NDVI was 0.45.", {"0.45": "contradicted"}),
    ("fr", "L’humidité reste en forte hausse.", {"hausse": "contradicted"}),
    ("en", "Moisture is on the rise.", {"rise": "contradicted"}),
    ("fr", "Le NDVI n’augmente pas.", {"augmente": "contradicted"}),
    ("en", "NDVI peaked in March 2021 and NDVI peaked on 15 March 2021.", {"peaked": "contradicted"}),
    ("fr", "Le stress hydrique augmente.", {"augmente": "contradicted"}),
    ("en", "There is more bare soil, and more vegetation.", {"more": "unsupported"}),
    ("fr", "En 90 jours, tout a changé.", {"90": "contradicted"}),
    ("fr", "Suivi sur 3 dates.", {"3": "contradicted"}),
    ("en", "On 2 May it was dense; on 3 June it is dense.", {"2 May": "unsupported"}),
    ("fr", "Hausse.", {"Hausse": "unsupported"}),
    ("fr", "La parcelle verdit, et le NDVI baisse.", {"baisse": "contradicted"}),
    ("fr", "L’image est trop nuageuse pour conclure.", {"trop nuageuse": "contradicted"}),
    ("en", "The image is too cloudy to tell.", {"too cloudy": "contradicted"}),
]

RIGHT: list[tuple[Language, str, int]] = [
    ("fr", "Un blé vigoureux et bien hydraté (NDVI 0,72 ; NDMI 0,31).", 5),
    ("en", "Vigorous, well hydrated wheat (NDVI 0.72; NDMI 0.31).", 5),
    ("fr", "Le NDVI atteint environ 0,7, ce qui est élevé.", 2),
    ("en", "NDVI reaches some 0.7, which is high.", 2),
    ("fr", "NDVI et NDMI valent respectivement 0,72 et 0,31.", 2),
    ("en", "NDVI, NDMI and EVI2 are 0.72, 0.31 and 0.52.", 3),
    ("fr", "La biomasse est abondante : 0,52 d’EVI2.", 2),
    ("fr", "Ni sec ni clairsemé, le couvert n’est plus nu.", 3),
    ("en", "Neither dry nor sparse.", 2),
    ("fr", "Pas de stress hydrique. Aucun sol nu.", 2),
    ("en", "No water stress, no bare soil.", 2),
    ("fr", "Le sol nu n’occupe que 4 % de la parcelle de 2,53 ha.", 2),
    ("en", "Only 4% of the 2.53 ha parcel is bare soil.", 2),
    ("fr", "93 % de végétation, 4 % de sol nu.", 2),
    ("en", "The parcel (25,300 m²) is 93% vegetation.", 2),
    ("fr", "Le 3 juin 2021, la vigueur est forte ; le 15 mars 2021, le NDVI était de 0,30.", 4),
    ("en", "NDVI rose from 0.30 on 15 March 2021 to 0.72 on 3 June 2021.", 5),
    ("fr", "Le NDVI a augmenté de 0,42 depuis le 15 mars 2021.", 3),
    ("en", "NDVI is 0.72, compared with 0.30 before.", 2),
    ("fr", "En 80 jours, le NDVI est passé de 0,30 à 0,72.", 3),
    ("en", "The vegetation is denser, and moisture remains steady.", 2),
    ("fr", "La parcelle 12 n’est pas décrite ici, la bande 8 non plus.", 0),
    ("en", "Sentinel-2 bands B08 and B04, parcel r003c012, tile 31TCJ.", 0),
    ("fr", "La vigueur est forte\nLa biomasse aussi est forte", 2),
    ("en", "* NDVI: 0.72\n* NDMI: 0.31\n- EVI2 - 0.52", 3),
    ("fr", "Plus de la moitié de la parcelle est en végétation.", 1),
    ("en", "Most of the field is vegetation.", 1),
    ("fr", "La couverture végétale est forte.", 1),
    ("en", "Good vegetation cover.", 1),
    ("fr", "NDVI moyen de 0,72. Il est élevé.", 2),
    ("fr", "Analyse : vigueur élevée (0,72), humidité élevée (0,31), biomasse forte (0,52).", 6),
    ("en", "Vigour: high. Moisture: high. Biomass: high. Growth: active. Soil: well covered.", 5),
    ("en", "A vigorous canopy, with no signs of water stress; only about 4% of the ground is bare.", 3),
    ("fr", "Non seulement dense, mais luxuriante.", 2),
    ("fr", "La vigueur n’est ni faible ni moyenne.", 2),
    ("en", "Growth is neither early nor complete.", 2),
    ("fr", "Moins de 5 % de sol nu, plus de 90 % de végétation.", 2),
    ("en", "Less than 5% bare soil, at least 90% vegetation, an NDVI above 0.7.", 3),
    ("en", "NDVI is higher than 0.6, and higher than in March 2021.", 3),
    ("fr", "Le NDVI dépasse 0,6.", 1),
    ("fr", "Parcelle n° 12, îlot 7 : le NDVI vaut 72 %.", 1),
    ("fr", "La couverture végétale vaut 0,93.", 1),
    ("fr", "Le NDMI ne varie pas.", 1),
    ("fr", "Elle est élevée, la vigueur.", 1),
    ("fr", "NDVI=0,72;NDMI=0,31;EVI2=0,52", 3),
    ("fr", "En moyenne, le NDVI vaut 0,72 ; la valeur moyenne de l’EVI2 est de 0,52.", 2),
    ("en", "On average the NDVI is 0.72, the average EVI2 0.52.", 2),
    ("fr", "", 0),
    ("en", " \n\t ", 0),
]


def _findings(language: Language, text: str, field: Measured, earlier: Measured) -> list[Finding]:
    return list(check(parse(text, language), field, before=[earlier]))


LAKE = Measured(
    "lake",
    {"NDVI": -0.2, "NDMI": 0.43, "EVI2": -0.05, "NDRE": -0.1, "BSI": -0.4},
    {"water": 0.96, "soil": 0.01, "vegetation": 0.03},
)
BARE = Measured(
    "bare",
    {"NDVI": 0.12, "NDMI": -0.08, "EVI2": 0.1, "NDRE": 0.1, "BSI": 0.2},
    {"water": 0.0, "soil": 0.92, "vegetation": 0.01},
)
MEANINGLESS: list[tuple[Measured, Language, str]] = [
    (LAKE, "en", "Canopy moisture is high (mean NDMI of 0.43)."),
    (LAKE, "fr", "L’humidité du couvert est élevée (NDMI moyen de 0,43)."),
    (LAKE, "en", "The canopy is well supplied with water."),
    (LAKE, "fr", "Le couvert est bien alimenté en eau."),
    (LAKE, "en", "The mean NDVI of −0.20 points to negligible vigour."),
    (LAKE, "fr", "La biomasse est faible."),
    (LAKE, "en", "Growth is just beginning."),
    (LAKE, "fr", "Le sol est bien couvert."),
    (BARE, "en", "The canopy is rather dry, with a mean NDMI of −0.08."),
    (BARE, "fr", "Le couvert est plutôt sec, avec un NDMI moyen de −0,08."),
    (BARE, "en", "Growth is just beginning."),
    (BARE, "fr", "La croissance est peu avancée."),
]


@pytest.mark.parametrize(("ground", "language", "text"), MEANINGLESS)
def test_of_lakes_and_bare_soil_nothing_is_said_that_only_plants_can_be(
    ground: Measured, language: Language, text: str
) -> None:
    """The same words hold of a meadow with the same numbers: the ground alone makes them mean nothing."""
    said = [one for one in check(parse(text, language), ground) if one.claim.kind == "class"]
    assert [one.verdict for one in said] == ["unsupported"]
    meadow = replace(ground, shares={"water": 0.0, "soil": 0.1, "vegetation": 0.8})
    assert {one.verdict for one in check(parse(text, language), meadow)} == {"supported"}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_of_lakes_and_bare_soil_the_grammar_says_numbers(language: Language) -> None:
    for seed in range(20):
        lake = compose(LAKE, language, seed=seed)
        claims = [claim for sentence in lake for claim in sentence.claims]
        assert not [claim for claim in claims if claim.kind == "class"]
        assert {claim.index for claim in claims if claim.index} == set(LAKE.indices)
        assert any(claim.named == "water" for claim in lake[0].claims), "what it is comes first"
        bare = [claim for sentence in compose(BARE, language, seed=seed) for claim in sentence.claims]
        assert {claim.axis for claim in bare if claim.kind == "class"} == {"vigour", "biomass", "soil"}
        assert {"NDMI", "NDRE"} <= {claim.index for claim in bare}


@pytest.mark.parametrize(("language", "text", "wrong"), WRONG)
def test_a_wrong_text_is_caught(
    language: Language, text: str, wrong: dict[str, str], field: Measured, earlier: Measured
) -> None:
    findings = _findings(language, text, field, earlier)
    refused = {text[one.claim.start : one.claim.end]: one.verdict for one in findings if one.verdict != "supported"}
    assert refused == wrong


@pytest.mark.parametrize(("language", "text", "claims"), RIGHT)
def test_a_right_text_is_left_alone(
    language: Language, text: str, claims: int, field: Measured, earlier: Measured
) -> None:
    findings = _findings(language, text, field, earlier)
    assert [one for one in findings if one.verdict != "supported"] == []
    assert len(findings) == claims, [one.claim for one in findings]


@pytest.mark.parametrize(
    ("language", "text", "pairs"),
    [
        ("fr", "La vigueur est forte (NDVI de 0,12).", [("forte", "0,12")]),
        ("en", "Vigour is weak, at an NDVI of 0.72.", [("weak", "0.72")]),
        ("fr", "Le NDVI est de 0,72. Plus loin, le NDVI est de 0,52.", [("0,72", "0,52")]),
        ("en", "The canopy is dry. The canopy is well hydrated.", [("dry", "well hydrated")]),
        ("fr", "La végétation est dense. La végétation n’est pas dense.", [("dense", "dense")]),
        ("en", "Wheat or barley?", [("Wheat", "barley")]),
        ("fr", "35 % de sol nu ; le sol est presque entièrement nu.", [("35 %", "presque entièrement nu")]),
        ("en", "Bare soil covers 35%, bare soil covers 60%.", [("35%", "60%")]),
        ("fr", "Le sol n’est pas partiellement couvert : 50 % de sol nu.", [("partiellement couvert", "50 %")]),
        ("fr", "La vigueur est forte (NDVI de 0,60), soit 0,6.", []),
        ("en", "NDVI was 0.30 on 15 March 2021 and 0.72 on 3 June 2021.", []),
        ("en", "Neither dry nor parched.", []),
        ("en", "NDVI above 0.6. NDVI of 0.72.", []),
        ("fr", "Le NDVI passe de 0,30 à 0,72.", []),
        ("en", "The canopy is not dry but moist.", []),
    ],
)
def test_a_text_at_odds_with_itself(language: Language, text: str, pairs: list[tuple[str, str]]) -> None:
    found = contradictions(parse(text, language))
    assert [(text[a.start : a.end], text[b.start : b.end]) for a, b in found] == pairs


def test_how_far_a_claim_is_off(field: Measured) -> None:
    def off(words: str) -> float:
        (finding,) = check(parse(words, "en"), field)
        return finding.off

    assert off("NDVI of 0.62") == pytest.approx(0.103)
    assert off("NDVI of 0.72") == 0
    assert off("The vegetation is sparse.") == 2, "low, moderate, high"
    assert off("The vegetation is not dense.") == 1
    assert off("Bare soil covers 34%.") == pytest.approx(0.298)


def test_a_crop_that_no_table_names_is_unsupported(dry_field: Measured) -> None:
    for language, words in (("fr", "Un champ de tournesol."), ("en", "A field of sunflowers.")):
        (finding,) = check(parse(words, language), dry_field)  # type: ignore[arg-type]
        assert (finding.claim.kind, finding.claim.named, finding.verdict) == ("crop", "sunflower", "unsupported")
