"""Numbers as each language writes them."""

import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.language import area, day, duration, length, number, percent, plural, signed, storage

NARROW, NO_BREAK = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "decimals", "english", "french"),
    [
        (1234.5, 1, "1,234.5", f"1{NARROW}234,5"),
        (1234567, None, "1,234,567", f"1{NARROW}234{NARROW}567"),
        (0.012345, None, "0.0123", "0,0123"),
        (98765.4321, None, "98,765", f"98{NARROW}765"),
        (3.0, None, "3", "3"),
        (-2.5, 1, "−2.5", "−2,5"),
        (-0.001, 1, "0.0", "0,0"),
        (0.0, None, "0", "0"),
        (math.nan, 2, "–", "–"),
        (math.inf, None, "–", "–"),
    ],
)
def test_numbers(value: float, decimals: int | None, english: str, french: str) -> None:
    assert number(value, "en", decimals) == english
    assert number(value, "fr", decimals) == french


def test_differences_have_a_sign() -> None:
    assert signed(0.5, "fr", 2) == "+0,50"
    assert signed(-0.5, "en", 2) == "−0.50"
    assert [signed(value, "en") for value in (0.0, math.nan, math.inf)] == ["0", "–", "–"]


@pytest.mark.parametrize(
    ("square_metres", "english", "french"),
    [
        (12.34, "12.3_m²", "12,3_m²"),
        (1234.5, "1,234_m²", f"1{NARROW}234_m²"),
        (9_999, "9,999_m²", f"9{NARROW}999_m²"),
        (10_000, "1.00_ha", "1,00_ha"),
        (9_999_999, "1,000.00_ha", f"1{NARROW}000,00_ha"),
        (25e6, "25.0_km²", "25,0_km²"),
        (math.nan, "–", "–"),
    ],
)
def test_areas_choose_their_unit(square_metres: float, english: str, french: str) -> None:
    assert area(square_metres, "en") == english.replace("_", NO_BREAK)
    assert area(square_metres, "fr") == french.replace("_", NO_BREAK)


def test_shares_keep_the_sign_of_their_language() -> None:
    assert percent(0.1234, "en") == "12.3%"
    assert percent(0.1234, "fr") == f"12,3{NARROW}%"
    assert percent(1, "fr", 0) == f"100{NARROW}%"
    assert percent(math.nan, "en") == "–"


@pytest.mark.parametrize(
    ("metres", "text"), [(0.2, "20_cm"), (0, "0_m"), (1.5, "1.5_m"), (30, "30_m"), (819.2, "819.2_m"), (2500, "2.5_km")]
)
def test_lengths_choose_their_unit(metres: float, text: str) -> None:
    assert length(metres, "en") == text.replace("_", NO_BREAK)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250_ms"),
        (4.25, "4,2_s"),
        (42, "42_s"),
        (59.7, "1_min 00_s"),
        (185, "3_min 05_s"),
        (7800, "2_h 10_min"),
        (math.inf, "–"),
    ],
)
def test_durations_show_two_units(seconds: float, text: str) -> None:
    assert duration(seconds, "fr") == text.replace("_", NO_BREAK)


@pytest.mark.parametrize(
    ("size", "english", "french"),
    [
        (0, "0_bytes", "0_octets"),
        (999, "999_bytes", "999_octets"),
        (1500, "1.5_kB", "1,5_ko"),
        (999_950, "1.0_MB", "1,0_Mo"),
        (2.5e9, "2.5_GB", "2,5_Go"),
        (5e15, "5,000_TB", f"5{NARROW}000_To"),
    ],
)
def test_sizes_of_files(size: float, english: str, french: str) -> None:
    assert storage(size, "en") == english.replace("_", NO_BREAK)
    assert storage(size, "fr") == french.replace("_", NO_BREAK)


def test_dates_in_words() -> None:
    assert day(date(2024, 3, 1), "fr") == "1er mars 2024"
    assert day(date(2024, 8, 12), "fr") == "12 août 2024"
    assert day(date(2024, 3, 1), "en") == "1 March 2024"


def test_zero_is_singular_in_french_and_plural_in_english() -> None:
    assert plural(0, "tuile", "tuiles", "fr") == "tuile"
    assert plural(1.5, "tuile", "tuiles", "fr") == "tuile"
    assert plural(0, "tile", "tiles", "en") == "tiles"
    assert plural(1, "tile", "tiles", "en") == "tile"
    assert plural(2, "tile", "tiles", "en") == "tiles"


@given(st.floats(-1e15, 1e15, allow_subnormal=False), st.integers(0, 6))
def test_a_number_reads_back(value: float, decimals: int) -> None:
    """What is written in either language is the number, to the digits shown."""
    english = number(value, "en", decimals).replace(",", "").replace("−", "-")
    french = number(value, "fr", decimals).replace(NARROW, "").replace(",", ".").replace("−", "-")
    assert english == french
    assert math.isclose(float(english), value, rel_tol=1e-12, abs_tol=0.5 * 10**-decimals * (1 + 1e-9))


@given(st.floats(1e-6, 1e12))
def test_three_significant_digits_at_least(value: float) -> None:
    text = number(value, "en").replace(",", "")
    assert math.isclose(float(text), value, rel_tol=0.006)
