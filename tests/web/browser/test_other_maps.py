"""The tiles in another map than Arpent's own: MapLibre, on a page of another origin, given a layer's TileJSON."""

import io
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.requires("chromium")

PAGE = """<!doctype html><html lang="en"><head><title>Another map</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="maplibre-gl.css"><script src="maplibre-gl.js"></script>
<style>body { margin: 0 } #map { width: 600px; height: 600px }</style></head><body><div id="map"></div></body></html>"""

SHOW = """({ source, bounds }) => new Promise((settle, fail) => {
  const layers = [{ id: "layer", type: "raster", source: "arpent", paint: { "raster-fade-duration": 0 } }];
  const sources = { arpent: { type: "raster", url: source, tileSize: 256 } };
  const settings = { container: "map", bounds, attributionControl: false, style: { version: 8, sources, layers } };
  window.map = new maplibregl.Map({ ...settings, fitBoundsOptions: { padding: 20 } });
  window.map.on("error", ({ error }) => fail(error));
  window.map.once("idle", () => settle(window.map.getSource("arpent").attribution));
})"""


@pytest.fixture
def elsewhere(running):
    """Address of a page with MapLibre on it, which is not the map's own."""
    found = find_spec("maplibre")
    assert found is not None and found.origin is not None
    folder = Path(found.origin).parent / "srcjs"
    files = {
        "/": ("text/html", PAGE.encode()),
        "/maplibre-gl.js": ("text/javascript", (folder / "maplibre-gl.js").read_bytes()),
        "/maplibre-gl.css": ("text/css", (folder / "maplibre-gl.css").read_bytes()),
    }

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self):
            kind, content = files[self.path]
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    with running(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def tab(browser):
    context = browser.new_context(viewport={"width": 600, "height": 600})
    yield context.new_page()
    context.close()


def test_maplibre_shows_a_layer_in_its_own_colours(tab, served, elsewhere):
    faults, answered = [], []
    tab.on("pageerror", lambda fault: faults.append(str(fault)))
    tab.on("response", lambda answer: answered.append((answer.status, answer.url)))
    tab.goto(served)
    runs = tab.evaluate("fetch('/api/layers').then((answer) => answer.json())")["runs"]
    layers = [layer for run in runs if run["task"] == "forecast" for layer in run["layers"]]
    layer = next(layer for layer in layers if layer["kind"] == "classes")
    west, south, east, north = layer["bounds"]
    frame = layer["frames"][0]["id"]
    places = [((west + east) / 2, south + (north - south) * step) for step in (0.12, 0.37, 0.62, 0.87)]
    colours = []
    for lon, lat in places:
        at = tab.evaluate(
            f"fetch('/api/point?lat={lat}&lon={lon}&layers={layer['id']}').then((answer) => answer.json())"
        )
        (colour,) = (one["colour"] for one in at["layers"][0]["values"] if one["frame"] == frame)
        colours.append(colour)
    assert len(set(colours)) == 4

    tab.goto(elsewhere)
    source = f"{served}/tiles/{layer['id']}/tilejson.json?frame={frame}"
    answered.clear()
    credit = tab.evaluate(SHOW, {"source": source, "bounds": [[west, south], [east, north]]})
    assert credit.startswith("Arpent")
    tiles = [(status, url) for status, url in answered if f"/tiles/{layer['id']}/{frame}/" in url]
    assert tiles and all(status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT) for status, _ in tiles)
    seen = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    for place, colour in zip(places, colours, strict=True):
        point = tab.evaluate("(place) => { const { x, y } = window.map.project(place); return [x, y]; }", place)
        red, green, blue = seen.getpixel((round(point[0]), round(point[1])))
        assert f"#{red:02x}{green:02x}{blue:02x}" == colour
    assert faults == []


def test_other_pages_read_tiles_and_nothing_else(tab, served, elsewhere):
    """A page that somebody else wrote must not learn which layers lie on the map of who looks at it."""
    tab.goto(elsewhere)
    for address in ("/api/layers", "/api/state", "/words.json", "/"):
        read = tab.evaluate("(url) => fetch(url).then(() => 'read', () => 'kept')", f"{served}{address}")
        assert read == "kept", address
