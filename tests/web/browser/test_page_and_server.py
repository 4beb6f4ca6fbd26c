"""The page when its server changes: runs come and go, tiles are missing, nobody answers, names are hostile."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.requires("chromium")

HOSTILE = "<img src=x onerror=document.title='taken'>"


@pytest.fixture
def late_run(registered, new_run, tmp_path):
    """Registers a run while the page is open: ``late_run()``; takes it off the map at the end."""
    from arpent.web.index.registering import register, remove

    numbers = []

    def come(task="landcover", name="late"):
        path = new_run(tmp_path, task, name)
        numbers.append(register(path).number)
        return path

    yield come
    for number in numbers:
        remove(number)


def test_a_run_appears_within_five_seconds_and_the_view_stays(visit, late_run):
    page = visit()
    page.only("classes", "forecast")
    page.settle()
    before, count = page.tab.url, page.tab.locator("details.run").count()
    late_run()
    begun = time.monotonic()
    page.until(f"document.querySelectorAll('details.run').length === {count + 1}")
    assert time.monotonic() - begun < 5
    assert page.tab.url == before
    assert "late" in page.tab.locator("#status").inner_text()
    assert page.faults == []


def test_an_empty_map_says_how_to_fill_it_and_fills_itself(visit, served):
    page = visit()
    page.tab.route("**/api/layers", lambda route: route.fulfill(json={"version": 0, "runs": []}))
    page.open()
    assert "arpent map serve" in page.tab.locator("#empty").inner_text()
    assert page.scan() == []
    page.tab.unroute("**/api/layers")
    page.tab.wait_for_selector("#shown li.layer")
    assert not page.tab.locator("#empty").is_visible()


def test_a_server_that_is_gone_is_told_and_comes_back(visit):
    page = visit()
    page.settle()
    page.tab.context.set_offline(True)
    page.tab.wait_for_selector("#banner:not([hidden])")
    assert "does not answer" in page.tab.locator("#banner").inner_text()
    page.tab.context.set_offline(False)
    page.tab.wait_for_selector("#banner", state="hidden")
    assert page.outside == []


def test_a_tile_that_cannot_be_had_is_told_beside_its_layer(visit):
    page = visit()
    answer = {"status": 410, "json": {"error": "the file is gone", "cure": "Run rebuild."}}
    page.tab.route("**/tiles/**", lambda route: route.fulfill(**answer))
    page.box("classes", "landcover").check()
    page.tab.wait_for_selector("#shown .warning[role=alert]")
    assert "the file is gone — Run rebuild." in page.tab.locator("#shown .warning[role=alert]").inner_text()


def test_a_reader_of_french_is_told_in_french_what_failed_and_finds_the_servers_line_beneath(visit, registered):
    """The answers are the server's own: of a layer and a shape that are gone, of an area beside the layer."""
    page = visit(locale="fr-FR")
    tab = page.tab
    page.only("classes", "forecast")
    number = tab.locator("#shown li.layer").first.get_attribute("data-layer")
    tab.route("**/api/point**", lambda route: route.continue_(url=route.request.url.replace(number, "1")))
    tab.mouse.click(*page.middle())
    told = tab.locator(".reading .warning")
    told.wait_for()
    assert told.inner_text().startswith("Cela n’est pas sur la carte, ou n’y est plus.")
    assert told.locator("[lang=en]").inner_text().startswith("there is no layer 1 — Ask")
    tab.route(
        "**/api/features/**", lambda route: route.continue_(url=route.request.url.rsplit("/", 1)[0] + "/999999999")
    )
    tab.fill("#search-text", "vegetation")
    tab.locator("#found .results button").first.click()
    card = tab.locator("#card .warning")
    card.wait_for()
    assert "n’y est plus" in card.inner_text() and "there is no feature" in card.locator("[lang=en]").inner_text()
    tab.unroute("**/api/features/**")
    tab.evaluate("document.getElementById('card-close').click()")
    elsewhere = "location.hash = location.hash.replace(/^#[^/]+\\/[^/]+\\/[^/]+/, '#9/10/100')"
    tab.evaluate(elsewhere)
    page.settle()
    tab.click("#tool-draw")
    tab.click("#draw-view")
    card.wait_for()
    assert card.inner_text().startswith("Rien de la couche ne se trouve là")
    assert page.scan() == []


def test_names_are_text_and_never_markup(visit):
    page = visit()

    def hostile(route):
        answer = route.fetch().json()
        for run in answer["runs"]:
            run["name"] = HOSTILE
            for layer in run["layers"]:
                layer |= {"title": {"en": HOSTILE, "fr": HOSTILE}, "warnings": [HOSTILE]}
                for entry in layer["legend"]["entries"]:
                    entry |= {"en": HOSTILE, "fr": HOSTILE}
        route.fulfill(json=answer)

    page.tab.route("**/api/layers", hostile)
    page.open()
    page.settle()
    assert HOSTILE in page.tab.locator("#shown").inner_text()
    assert page.tab.locator("#panel img").count() == 0
    assert page.tab.title().startswith("Arpent")
    assert page.faults == []


@pytest.mark.parametrize(("locale", "told"), [("en-GB", "l’image est loin (in French)"), ("fr-FR", "l’image est loin")])
def test_a_warning_is_said_to_be_in_the_language_of_its_run(visit, locale, told):
    page = visit(locale=locale)

    def french(route):
        answer = route.fetch().json()
        for run in answer["runs"]:
            run["language"] = "fr"
            for layer in run["layers"]:
                layer["warnings"] = ["attention : l’image est loin"]
        route.fulfill(json=answer)

    page.tab.route("**/api/layers", french)
    page.open()
    page.settle()
    assert page.tab.locator("#shown .warning").first.inner_text() == told


@pytest.mark.parametrize(("skill", "told"), [(None, 0), ({"based_on": {"en": "dates", "fr": "dates"}, "iou": []}, 1)])
def test_only_what_could_be_judged_is_said_not_to_be(visit, skill, told):
    page = visit()

    def unjudged(route):
        answer = route.fetch().json()
        for run in answer["runs"]:
            for layer in run["layers"]:
                layer["skill"] = skill  # chances and outlines of a forecast have none: the map beside them has
        route.fulfill(json=answer)

    page.tab.route("**/api/layers", unjudged)
    page.open()
    page.only("classes", "forecast")
    assert page.tab.locator(".skill").count() == 1
    assert page.tab.locator(".skill .quiet").count() == told


@pytest.fixture(scope="module")
def blank(browser, served):
    """A page at the map's address, for calling its modules."""
    tab = browser.new_page()
    tab.goto(f"{served}/static/arpent/icon.svg")
    yield tab
    tab.close()


LAYERS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(1, 2**48),
            "band": st.integers(1, 999),
            "opacity": st.integers(0, 100).map(lambda percent: percent / 100),
        }
    ),
    max_size=5,
)


@settings(max_examples=40)
@given(
    zoom=st.integers(0, 2200).map(lambda number: number / 100),
    lat=st.integers(-90_000_000, 90_000_000).map(lambda number: number / 1e6),
    lon=st.integers(-180_000_000, 180_000_000).map(lambda number: number / 1e6),
    date=st.none() | st.dates().map(str),
    layers=LAYERS,
    lang=st.sampled_from(["en", "fr"]),
    swipe=st.none() | st.fixed_dictionaries({"at": st.integers(0, 100), "before": st.none() | st.dates().map(str)}),
)
def test_every_view_has_an_address_that_gives_it_back(blank, zoom, lat, lon, date, layers, lang, swipe):
    view = {"zoom": zoom, "lat": lat, "lon": lon, "date": date, "layers": layers, "lang": lang, "swipe": swipe}
    back = blank.evaluate(
        "(view) => import('/static/arpent/permalink.js').then(({ read, written }) => read(written(view)))", view
    )
    assert back == view


@settings(max_examples=40)
@given(st.text(max_size=60) | st.lists(st.text(max_size=6), min_size=7, max_size=9).map("/".join))
def test_no_address_breaks_the_page(blank, text):
    """An address that is none of ours is none; it never throws."""
    found = blank.evaluate(
        "(text) => import('/static/arpent/permalink.js').then(({ read }) => { const view = read(text);"
        " return view === null || (Math.abs(view.lat) <= 90 && Array.isArray(view.layers)); })",
        text,
    )
    assert found is True


def test_a_series_that_has_not_begun_shows_nothing_and_one_that_is_over_its_last_frame(blank):
    layer = {
        "issue": "2024-03-03",
        "frames": [
            {"id": 1, "date": "2024-03-01", "observed": True, "horizon": None},
            {"id": 2, "date": "2024-03-03", "observed": True, "horizon": None},
            {"id": 3, "date": "2024-03-04", "observed": False, "horizon": 1},
        ],
    }
    asked = ["2024-02-01", "2024-03-01", "2024-03-02", "2024-03-04", "2025-01-01"]
    found = blank.evaluate(
        "([layer, dates]) => import('/static/arpent/frames.js').then(({ frameAt, steps }) => "
        "[dates.map((date) => frameAt(layer, date)?.id ?? null), steps([layer]).map((one) => one.offset)])",
        [layer, asked],
    )
    assert found == [[None, 1, 1, 3, 3], [-1, 0, 1]]
