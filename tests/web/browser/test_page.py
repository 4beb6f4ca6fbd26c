"""The map's page in a real browser: what a reader sees and does."""

import csv
import io
import re

import pytest

pytestmark = pytest.mark.requires("chromium")


def test_the_map_opens_with_the_newest_run(visit):
    page = visit()
    page.settle()
    assert page.tab.locator("details.run").count() >= 5
    assert page.tab.locator("#shown li.layer").count() >= 1
    assert page.tab.title().startswith("Arpent")
    assert page.scan() == []
    assert (page.faults, page.outside) == ([], [])


def test_dates_are_stepped_by_keyboard_and_the_border_of_the_forecast_is_seen(visit):
    page = visit(locale="fr-FR")
    page.only("classes", "forecast")
    tab = page.tab
    labels = tab.locator("#timeline-ticks b").all_inner_texts()
    assert labels == ["J−2", "J−1", "J", "J+1", "J+2", "J+3"]
    assert tab.locator("#timeline-ticks .predicted").count() == 3
    border = tab.locator(".issued").bounding_box()["x"]
    ticks = [tick.bounding_box()["x"] for tick in tab.locator(".tick").all()]
    assert ticks[2] < border < ticks[3]
    assert tab.locator(".skill").inner_text().count("J+") == 3
    assert tab.locator(".skill dd").nth(1).inner_text() == "3 mars 2024"
    slider = tab.locator("#timeline-slider")
    slider.focus()
    assert "observé" in slider.get_attribute("aria-valuetext")
    tab.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "4 mars 2024, J+1, prévu"
    page.settle()
    frame = re.search(r"/tiles/\d+/(\d+)/", tab.locator(".leaflet-tile-loaded").first.get_attribute("src"))
    tab.keyboard.press("Home")
    page.settle()
    assert frame[1] not in tab.locator(".leaflet-tile-loaded").first.get_attribute("src")
    assert "/2024-03-01/" in tab.url
    assert page.faults == []


def test_play_goes_on_and_never_shows_an_empty_map(visit):
    page = visit()
    page.only("classes", "forecast")
    tab = page.tab
    tab.select_option("#timeline-speed", "300")
    before = tab.locator("#timeline-slider").input_value()
    tab.evaluate(
        "window.gaps = 0; window.watch = setInterval(() => { const seen = [...document.querySelectorAll('.raster')]"
        ".some((one) => getComputedStyle(one).opacity === '1' && one.querySelector('.leaflet-tile-loaded'));"
        " if (!seen) window.gaps += 1; }, 16)"
    )
    tab.click("#timeline-play")
    page.until(f"document.getElementById('timeline-slider').value !== '{before}'")
    tab.wait_for_timeout(900)
    tab.click("#timeline-play")
    stopped = tab.locator("#timeline-slider").input_value()
    tab.wait_for_timeout(500)
    assert tab.locator("#timeline-slider").input_value() == stopped
    assert tab.evaluate("window.gaps") == 0
    assert page.faults == []


def test_little_motion_is_honoured(visit):
    page = visit(reduced_motion="reduce")
    page.only("classes", "forecast")
    assert page.tab.locator("#timeline-speed").input_value() == "2400"
    assert page.tab.locator("#map.leaflet-fade-anim").count() == 0
    assert page.tab.evaluate("getComputedStyle(document.getElementById('panel')).transitionDuration") == "0s"


def test_the_map_is_divided_into_before_and_after(visit):
    page = visit()
    page.only("classes", "forecast")
    tab = page.tab
    tab.click("#tool-swipe")
    tab.select_option("#swipe-left", "2024-03-01")
    page.settle()
    assert "polygon" in tab.locator(".leaflet-before-pane").evaluate("(pane) => pane.style.clipPath")
    divider = tab.locator("#divider")
    divider.focus()
    tab.keyboard.press("ArrowRight")
    assert divider.get_attribute("aria-valuenow") == "55"
    box = divider.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, 300)
    tab.mouse.down()
    tab.mouse.move(800, 300, steps=3)
    tab.mouse.up()
    assert divider.get_attribute("aria-valuenow") == "63"  # 800 of 1280
    assert tab.url.endswith("/s63_2024-03-01")
    tab.click("#tool-swipe")
    assert not divider.is_visible()
    assert page.faults == []


def test_a_click_reads_every_visible_layer_and_draws_the_series(visit):
    page = visit()
    page.only("classes", "forecast")
    page.box("change").check()
    tab = page.tab
    tab.mouse.click(*page.middle())
    tab.wait_for_selector(".reading section")
    assert tab.locator(".reading section").count() == tab.locator("#shown li.layer").count()
    assert tab.locator(".reading .chart svg .cell").count() == 6
    assert tab.locator(".reading .chart svg .cell.predicted").count() == 3
    assert page.scan() == []
    tab.keyboard.press("Escape")
    tab.locator("#map").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".reading section")
    assert page.faults == []


def test_a_drawn_area_is_measured_and_saved(visit):
    page = visit(locale="fr-FR", accept_downloads=True)
    page.only("classes", "forecast")
    tab = page.tab
    x, y = page.middle()
    tab.click("#tool-draw")
    for dx, dy in ((-90, -90), (90, -90), (90, 90), (-90, 90)):
        tab.mouse.click(x + dx, y + dy)
    tab.click("#draw-done")
    tab.wait_for_selector("#card .areas")
    head = tab.locator("#card .areas thead th").all_inner_texts()
    assert len(head) == 7 and head[1] == "1 mars 2024"
    assert tab.locator("#card .areas tbody th .swatch").count() >= 2  # classes with their colours
    assert re.fullmatch(r"[\d,\u202f]+\u202f(ha|m²)", tab.locator("#card .areas td span").first.inner_text())
    assert page.scan() == []
    with tab.expect_download() as saved:
        tab.locator("#card button.wide").first.click()
    text = saved.value.path().read_text("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text), delimiter=";"))
    assert saved.value.suggested_filename == "surfaces.csv"
    assert len(rows) > 6 and all(len(row) == len(rows[0]) for row in rows)
    assert any(re.search(r"\d,\d", cell) for row in rows[1:] for cell in row)
    refused = {"error": "busy", "cure": "Wait."}
    tab.route("**/api/areas?format=csv*", lambda route: route.fulfill(status=503, json=refused))
    tab.locator("#card button.wide").first.click()
    tab.get_by_text("busy — Wait.").wait_for()
    assert tab.locator("#card .areas").count() == 1, "the table stays"
    tab.click("#card-close")
    assert tab.locator("path.drawn").count() == 0
    assert all("503" in fault for fault in page.faults)


def test_an_area_is_drawn_by_keyboard_too(visit):
    page = visit()
    page.only("classes", "forecast")
    tab = page.tab
    tab.locator("#map").focus()
    tab.keyboard.press("d")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        tab.keyboard.press(" ")
        tab.keyboard.press(key)
        tab.wait_for_timeout(350)
    assert tab.locator("path.corner").count() == 3
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#card .areas, #card p")
    assert page.faults == []


def test_the_address_restores_the_exact_view_and_its_language(visit):
    first = visit()
    first.only("classes", "forecast")
    tab = first.tab
    tab.keyboard.press("Escape")
    tab.locator("#timeline-slider").focus()
    tab.keyboard.press("End")
    tab.locator("#shown input[type=range]").first.fill("40")
    first.settle()
    address = tab.url.split("/", 3)[3]
    assert address.endswith("/40/en")
    again = visit(f"/{address}")
    again.settle()
    assert again.tab.url.endswith(address)
    assert again.tab.locator("#shown output").first.inner_text() == "40\u202f%"
    assert again.tab.locator("#timeline-date strong").inner_text() == "6 March 2024"
    again.tab.click("#language-fr")
    again.tab.wait_for_selector("html[lang=fr] body.ready")
    assert again.tab.locator("#timeline-date strong").inner_text() == "6 mars 2024"
    assert again.tab.url.endswith(address.replace("/en", "/fr"))
    other = visit(f"/{address.replace('/en', '/fr')}")  # a reader of English gets the French view that was sent
    other.tab.wait_for_selector("html[lang=fr] body.ready")
    assert first.faults == again.faults == other.faults == []


def test_a_parcel_tells_what_it_is_in_both_languages_and_others_are_like_it(visit):
    page = visit()
    tab = page.tab
    tab.fill("#search-text", "vegetation")
    tab.locator("#found .results button").first.wait_for()
    assert tab.locator("#found .score").count() == 0, "words are found in an order, not to a degree"
    tab.locator("#found .results button").first.click()
    tab.wait_for_selector("#card .told")
    assert tab.locator("#card .told[lang=en]").inner_text().count("NDVI") == 1
    assert "végétation" in tab.locator("#card .told[lang=fr]").inner_text()
    tab.locator("#card .told[lang=en] summary").first.click()
    assert "0.72" in tab.locator("#card .told[lang=en] table").first.inner_text()
    assert tab.locator("path.marked").count() == 1
    tab.locator("#card .like button").click()
    tab.wait_for_selector("#card .results button")
    assert re.fullmatch(r"\d+% alike", tab.locator("#card .score").first.inner_text())
    assert page.scan() == []
    tab.keyboard.press("Escape")
    assert not tab.locator("#card").is_visible()
    assert page.faults == []


def test_what_is_known_of_a_shape_stands_in_the_readers_words(visit):
    page = visit(locale="fr-FR")
    tab = page.tab
    tab.fill("#search-text", "végétation")
    tab.locator("#found .results button").first.click()
    tab.wait_for_selector("#card .told")
    known = tab.locator("#card .properties th").all_inner_texts()
    assert known == ["Parcelle", "Lieu", "Image", "Date", "NDVI, moyenne"]
    assert tab.locator("#card .properties td").all_inner_texts()[3:] == ["1 mars 2024", "0,72"]
    tab.click("#card-close")
    tab.fill("#search-text", "")
    page.only("polygons")
    shapes = tab.locator("path[data-feature]")
    place = shapes.nth(1).bounding_box()
    tab.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    tab.get_by_text("Numéro dans CoSIA").wait_for()
    assert "Surface" in tab.locator("#card .properties").inner_text()
    assert "class_en" not in tab.locator("#card").inner_text()
    assert page.scan() == []
    assert page.faults == []


def test_an_answer_that_comes_late_takes_no_card_that_others_have(visit):
    page = visit()
    tab, held = page.tab, []

    def hold(route):
        held.append(route)

    tab.route("**/api/features/*", hold, times=1)
    tab.fill("#search-text", "vegetation")
    results = tab.locator("#found .results button")
    results.nth(1).wait_for()
    results.nth(0).click()
    tab.get_by_text("Loading …").wait_for()
    results.nth(1).click()
    tab.wait_for_selector("#card .told")
    shown = tab.locator("#card").inner_text()
    with tab.expect_response("**/api/features/*"):
        held[0].continue_()
    tab.wait_for_timeout(200)
    assert tab.locator("#card").inner_text() == shown
    assert page.faults == []


def test_layers_are_ordered_faded_searched_and_chosen(visit):
    page = visit(locale="fr-FR")
    tab = page.tab
    page.only("embedding")
    chooser = tab.locator(".bands select")
    chooser.select_option(index=2)
    page.settle()
    assert "band=3" in tab.locator(".leaflet-tile-loaded").last.get_attribute("src")
    page.only("probability", "landcover")
    names = chooser.locator("option").all_inner_texts()
    assert names == ["bâtiment", "zone imperméable", "sol nu"]
    warning = tab.locator("#shown .warning").inner_text()
    assert warning == "The image is far from those of the training. (en anglais)", "without a second sign of warning"
    page.box("classes", "landcover").check()
    assert tab.locator("#shown .layer").count() == 2
    assert tab.locator("#shown .warning").count() == 1, "what holds for a run is said once"
    page.box("classes", "landcover").uncheck()
    chooser.select_option(index=1)
    page.settle()
    assert "band=2" in tab.locator(".leaflet-tile-loaded").last.get_attribute("src")
    tab.mouse.click(*page.middle())
    tab.wait_for_selector(".reading strong")
    told = re.sub(r"\d+", "", tab.locator(".reading strong").first.inner_text())
    assert told == " · ".join(f"{name}\u00a0" for name in names), "each number beside its name"
    page.box("classes", "forecast").check()
    names = tab.locator("#shown h3").all_inner_texts()
    tab.locator("#shown .tool:not(:disabled)").first.click()
    assert tab.locator("#shown h3").all_inner_texts() == names[::-1]
    tab.fill("#search-text", "persist")
    assert tab.locator("details.run").count() == 1
    tab.fill("#search-text", "no such name")
    assert tab.locator("#runs-none").is_visible()
    assert page.faults == []


def test_a_layer_out_of_sight_is_gone_to(visit):
    page = visit("/#5.00/0.000000/0.000000/-/-/-/en")
    page.box("classes", "forecast").check()
    page.settle()
    assert "/44." in page.tab.url
    assert page.tab.locator(".leaflet-tile-loaded").count() >= 1


def test_what_is_seen_can_be_downloaded(visit):
    page = visit(accept_downloads=True)
    page.only("classes", "forecast")
    page.tab.click("[popovertarget=downloads]")
    with page.tab.expect_download() as saved:
        page.tab.locator("#downloads-list a").first.click()
    assert saved.value.path().read_bytes()[:2] in {b"II", b"MM"}  # a TIFF


def test_a_narrow_screen_has_a_sheet_and_nothing_beside_the_edge(visit):
    page = visit(width=360, height=740, has_touch=True, locale="fr-FR")
    tab = page.tab
    assert not tab.locator("#panel-body").is_visible()
    tab.click("#panel-handle")
    assert tab.locator("#runs label").first.is_visible()
    page.only("classes", "forecast")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.click("#panel-handle")
    low = tab.locator("#timeline").bounding_box()["y"]
    top, bottom = tab.evaluate(
        "Promise.all(['map', 'view'].map((name) => import(`/static/arpent/${name}.js`))).then(([{ map, boundsOf },"
        " { view }]) => { const box = boundsOf(view.visible[0].bounds); return [box.getNorth(), box.getSouth()]"
        ".map((lat) => map.latLngToContainerPoint([lat, box.getWest()]).y); })"
    )
    assert 60 < top < bottom < low, "between the tools and the timeline"
    tab.click("#tool-draw")
    notice = tab.locator("#status").bounding_box()
    assert notice["width"] > 300 and notice["y"] + notice["height"] < low
    tab.click("#tool-draw")
    tab.click("#tool-swipe")
    tab.locator("#swipe-left").click(trial=True)  # nothing lies over the choice of a date
    assert page.scan() == []
    assert page.faults == []


def test_dark_and_light(visit):
    page = visit(color_scheme="dark")
    page.only("classes", "forecast")
    background = "getComputedStyle(document.getElementById('panel')).backgroundColor"
    dark = page.tab.evaluate(background)
    assert page.scan() == []
    page.tab.click("#tool-theme")
    assert page.tab.evaluate(background) != dark
    page.open()
    assert page.tab.evaluate(background) != dark, "kept"
