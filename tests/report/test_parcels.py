"""The page of parcels: what is marked, what it carries, and that nothing in it is obeyed."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import InvalidSetting
from arpent.report import (
    NDVI_ENDS,
    Card,
    Mark,
    Measure,
    ParcelPage,
    Passage,
    Tone,
    ndvi_colours,
    parcel_page_html,
    small_picture,
    tone_of,
    true_colours,
    write_parcel_page,
)

TEXT = "The vegetation is dense (NDVI of 0.64). Bare soil covers 12%. Wheat grows here."


def mark(words, state, key=""):
    start = TEXT.index(words)
    return Mark(start, start + len(words), state, key, f"tip of {words}")


def card(anchor="p1", **own):
    passage = Passage(
        TEXT,
        "en",
        [mark("0.64", "supported", "ndvi"), mark("12%", "contradicted", "soil"), mark("Wheat", "unsupported")],
        [(TEXT.index("Bare"), TEXT.index(" Wheat"), "grammar")],
    )
    values = {
        "facts": ["Boadella", "4.10 ha"],
        "picture": small_picture(
            np.full((3, 9, 12), 900.0), np.full((9, 12), 0.6), Tone((0,) * 3, (2000,) * 3), "M1 1H5Z"
        ),
        "passages": [passage],
        "measures": [
            Measure("ndvi", "NDVI", "0.642", "± 0.081", told=True),
            Measure("soil", "Bare soil", "30%", told=True),
            Measure("evi", "EVI", "0.3"),
        ],
        "notes": ["1 sentence was replaced by the grammar"],
        "order": 0.642,
    }
    return Card(anchor, "Field <b>7</b>", **(values | own))


def page(*cards):
    return ParcelPage("Parcels", cards or (card(),), "A lead.", [("3", "claims")], "small print")


def test_every_claim_is_tied_to_its_measurement():
    html = parcel_page_html(page())
    assert '<a class="claim supported" data-key="ndvi" href="#p1-ndvi" title="tip of 0.64">0.64</a>' in html
    assert '<a class="claim contradicted" data-key="soil" href="#p1-soil"' in html
    assert '<span class="claim unsupported" title="tip of Wheat">Wheat</span>' in html
    links = re.findall(r'href="#(p1-\w+)"', html)
    assert all(f'<tr id="{link}"' in html for link in links) and len(links) == 2
    assert html.index('id="p1-ndvi"') < html.index("<details>") < html.index('id="p1-evi"')
    assert '<span class="grammar"' in html and "1 sentence was replaced" in html


def test_markup_in_names_is_shown_and_not_obeyed():
    html = parcel_page_html(page(card(facts=["<script>alert(1)</script>"])))
    assert "<b>7</b>" not in html and "Field &lt;b&gt;7&lt;/b&gt;" in html
    assert "<script>alert" not in html


def test_the_page_stands_alone():
    html = parcel_page_html(page(), "fr")
    assert '<html lang="fr">' in html
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', html) == []
    assert "url(" not in html and "http" not in html.replace("http-equiv", "")


def test_cards_of_one_anchor_are_refused():
    with pytest.raises(InvalidSetting, match="one anchor"):
        parcel_page_html(page(card("p1"), card("p1")))


def test_a_card_may_lack_everything(tmp_path):
    bare = Card("p1", "Field", picture=None)
    html = write_parcel_page(tmp_path / "page.html", page(bare)).read_text("utf-8")
    assert "no picture" in html and 'class="claim' in html  # the key explains the marks all the same


@given(
    st.text(max_size=30),
    st.lists(st.tuples(st.integers(-3, 33), st.integers(-3, 33)), max_size=5),
    st.lists(st.tuples(st.integers(-3, 33), st.integers(-3, 33), st.sampled_from(["grammar", "again"])), max_size=3),
)
@settings(deadline=None, max_examples=50)
def test_pieces_of_a_text_are_the_text(text, places, sources):
    marks = [Mark(start, end, "supported") for start, end in places]
    pieces = Passage(text, "en", marks, sources).pieces
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)


def test_of_two_marks_in_one_place_the_first_counts():
    pieces = Passage("abcdef", "en", [Mark(1, 4, "supported", "a"), Mark(2, 6, "contradicted", "b")]).pieces
    assert [(piece.text, piece.mark and piece.mark.key) for piece in pieces] == [("a", None), ("bcd", "a"), ("ef", "b")]


def test_colours_of_ndvi_darken_with_density():
    light = ndvi_colours(np.linspace(0.2, 1.0, 30)).astype(float).sum(axis=-1)
    assert (np.diff(light) <= 1).all()
    low, high = ndvi_colours(np.array([-9.0, 9.0]))
    assert (ndvi_colours(np.array(NDVI_ENDS)) == [low, high]).all()
    assert (ndvi_colours(np.array([np.nan])) == 236).all()


def test_one_tone_for_all_parcels_of_an_image():
    bands = np.stack([np.linspace(100, 3000, 500)] * 3)
    tone = tone_of(bands)
    dark, bright = true_colours(np.array([[[100.0, 3000.0]]] * 3), tone)[0]
    assert (dark == 0).all() and (bright == 255).all()
    assert (true_colours(np.full((3, 1, 1), np.nan), tone) == 236).all()
    assert tone_of(np.full((3, 4), np.nan)).bright[0] > tone_of(np.full((3, 4), np.nan)).dark[0]


def test_pictures_stay_small():
    """Five hundred parcels must fit on a page that a browser opens."""
    rng = np.random.default_rng(0)
    large = small_picture(
        rng.uniform(0, 3000, (3, 300, 200)), rng.uniform(0, 1, (300, 200)), Tone((0,) * 3, (3e3,) * 3)
    )
    small = small_picture(rng.uniform(0, 3000, (3, 20, 20)), rng.uniform(0, 1, (20, 20)), Tone((0,) * 3, (3e3,) * 3))
    assert (large.width, large.height) == (200, 300)
    assert large.colours.startswith(b"\xff\xd8") and small.colours.startswith(b"\x89PNG")
    assert len(large.colours) + len(large.ndvi) < 20_000  # of pure noise
    assert len(small.colours) + len(small.ndvi) < 4_000


def test_five_hundred_parcels_fit_on_a_page():
    rng = np.random.default_rng(0)
    tone = Tone((0,) * 3, (3e3,) * 3)
    noise = small_picture(rng.uniform(0, 3000, (3, 96, 96)), rng.uniform(0, 1, (96, 96)), tone)
    html = parcel_page_html(page(*(card(f"p{number}", picture=noise) for number in range(500))))
    assert html.count("<article") == 500
    assert len(html) < 500 * 35_000  # of pure noise, which nothing packs


@pytest.mark.requires("chromium")
def test_people_can_find_sort_and_follow(browser, tmp_path):
    """In a real browser: no error, searching, sorting, and a link that opens the measurements it leads to."""
    cards = [card(f"p{n}", order=n / 10, facts=[("été", "hiver")[n % 2]]) for n in range(1, 6)]
    path = write_parcel_page(tmp_path / "page.html", ParcelPage("Parcels", cards))
    tab = browser.new_page(viewport={"width": 1100, "height": 800})
    faults = []
    tab.on("pageerror", lambda fault: faults.append(str(fault)))
    tab.goto(path.as_uri())
    assert tab.locator("article:visible").count() == 5
    tab.fill("input[type=search]", "ETE")
    assert tab.locator("article:visible").count() == 2
    tab.fill("input[type=search]", "")
    tab.select_option("select", "order")
    assert tab.locator("article").first.get_attribute("id") == "p5"
    tab.goto(f"{path.as_uri()}#p3-evi")
    tab.evaluate("dispatchEvent(new HashChangeEvent('hashchange'))")
    assert tab.locator("#p3 details").get_attribute("open") is not None
    wide = json.loads(tab.evaluate("JSON.stringify([document.documentElement.scrollWidth, innerWidth])"))
    assert wide[0] <= wide[1]
    tab.close()
    assert faults == []
