"""Runs of many places, and of a place that the antimeridian divides."""

import pytest

pytestmark = pytest.mark.requires("chromium")


@pytest.fixture
def on_map(registered):
    """Puts a finished run on the map for one test: ``on_map(path)`` gives its number."""
    from arpent.web.index.registering import register, remove

    numbers = []

    def put(path):
        numbers.append(register(path).number)
        return numbers[-1]

    yield put
    for number in numbers:
        remove(number)


def test_layers_of_many_places_are_folded_by_place(visit, on_map, rivers_run):
    on_map(rivers_run)
    page = visit("/#5.00/46.000000/2.000000/-/-/-/fr", locale="fr-FR")
    tab = page.tab
    run = tab.locator("details.run", has=tab.locator("summary .name", has_text="rivers"))
    folds = run.locator("details.place")
    assert folds.locator("summary").all_inner_texts() == ["Aveyron", "Célé", "Dordogne", "Lot"]
    assert run.locator("details.place[open]").count() == 0, "none of it is on the map"
    assert not run.get_by_label("Occupation du sol").first.is_visible()
    river = folds.filter(has_text="Célé")
    river.locator("summary").focus()
    tab.keyboard.press("Enter")
    titles = river.locator("label span").all_inner_texts()
    assert titles == ["Occupation du sol, observée et prévue", "Probabilité de chaque classe"], "without the place"
    river.locator("input").first.check()
    assert tab.locator("#shown h3").inner_text() == "Occupation du sol, observée et prévue\u00a0: Célé"
    assert page.scan() == []
    tab.fill("#search-text", "rivers")
    assert run.locator("details.place[open]").count() == 4, "what was sought lies open"
    tab.fill("#search-text", "dordogne")
    tab.locator("details.run").first.wait_for()
    assert tab.locator("details.run").get_by_label("Dordogne").count() == 2, "so few need no folds"
    assert page.faults == []


def test_a_place_on_both_sides_of_the_antimeridian(visit, on_map, far_run):
    number = on_map(far_run)
    page = visit("/#5.00/46.000000/2.000000/-/-/-/en")
    tab = page.tab
    runs = tab.evaluate("fetch('/api/layers').then((answer) => answer.json())")["runs"]
    layers = {layer["name"]: layer for run in runs if run["id"] == number for layer in run["layers"]}
    west, _, east, _ = layers["classes"]["bounds"]
    assert west > 179.9 and east < -179.9
    for name in ("classes", "polygons"):
        tab.locator(f"#runs input[data-layer='{layers[name]['id']}']").check()
    page.settle()
    columns = {
        int(one.split("/")[-2])
        for one in tab.evaluate("[...document.querySelectorAll('.leaflet-tile')].map((one) => one.src)")
    }
    zoom = int(tab.locator(".leaflet-tile").first.get_attribute("src").split("/")[-3])
    assert {0, 2**zoom - 1} <= columns, "the last column of the world and its first, side by side"

    def seen(selector):
        boxes = tab.evaluate(
            f"[...document.querySelectorAll('{selector}')].map((one) => one.getBoundingClientRect())"
            ".map((box) => [box.left, box.right])"
        )
        return min(left for left, _ in boxes), max(right for _, right in boxes)

    left, right = seen("path[data-feature]")
    assert 380 < left < right < 1280, "shapes of both sides stand in one row"
    assert tab.locator("path[data-feature]").count() == 4
    for share in (0.3, 0.7):  # of the way from the western side to the eastern
        tab.mouse.click(left + share * (right - left), 500)
        tab.wait_for_selector(".reading section strong")
        assert tab.locator(".reading section strong").first.inner_text() != "no data"
        tab.keyboard.press("Escape")
    tab.click("#tool-draw")
    tab.click("#draw-view")
    tab.wait_for_selector("#card .areas")
    shares = tab.locator("#card .areas td small").all_inner_texts()
    assert len(shares) == 4 and all(share in {"25%", "26%", "24%"} for share in shares)
    tab.click("#card-close")

    address = tab.url.split("/", 3)[3]
    again = visit(f"/{address}")
    again.settle()
    assert again.tab.url.endswith(address)
    assert again.tab.locator("path[data-feature]").count() == 4
    tab = again.tab
    other = seen("path[data-feature]")
    assert other == pytest.approx((left, right), abs=3)
    assert page.faults == again.faults == []
