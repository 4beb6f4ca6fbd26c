/** Drawing an area: by clicks, or by the keyboard with the middle of the map as the pen. */

import { at, el } from "./elements.js";
import { map, turnOf, turned } from "./map.js";
import { say } from "./notices.js";
import { word } from "./words.js";

const L = window.L;
const CLOSE = 12; // pixels from the first corner that close the shape

const shape = L.polygon([], { className: "drawn", interactive: false });
const rubber = L.polyline([], { className: "drawn rubber", interactive: false });
const corners = L.layerGroup();
let points = null;
let finish = () => {};

/** Whether clicks on the map are corners now. */
export const drawing = () => points !== null;

/** Binds the tool; `done(geometry)` is called with a GeoJSON polygon. */
export function begin(done) {
  finish = done;
  at("tool-draw").addEventListener("click", () => (drawing() ? stop() : start()));
  at("draw-done").addEventListener("click", close);
  at("draw-cancel").addEventListener("click", stop);
  at("draw-view").addEventListener("click", wholeView);
  map.on("click", (event) => drawing() && corner(event.latlng, event.containerPoint));
  map.on("dblclick", () => drawing() && close());
  map.on("mousemove", (event) => drawing() && points.length && rubber.setLatLngs([points.at(-1), event.latlng]));
  map.getContainer().addEventListener("keydown", key);
}

/** Shows a polygon that was drawn before. */
export function showDrawn(geometry) {
  const ring = geometry.coordinates[0].slice(0, -1);
  const turn = turnOf(ring[0][0]);
  shape.setLatLngs(ring.map(([lon, lat]) => [lat, lon + turn])).addTo(map);
}

/** Takes the polygon off the map. */
export function clearDrawn() {
  if (!drawing()) shape.remove();
}

function start() {
  points = [];
  map.doubleClickZoom.disable();
  shape.setLatLngs([]).addTo(map);
  rubber.setLatLngs([]).addTo(map);
  corners.clearLayers().addTo(map);
  map.closePopup();
  look(true);
  map.getContainer().focus({ preventScroll: true });
  const keys = !window.matchMedia("(hover: none)").matches; // a finger needs no word of keys: the bar tells it enough
  say(word("Click the corners of an area. By keyboard: Space sets a corner in the middle of the map, Enter ends, Escape stops."), { seen: keys });
}

function stop() {
  points = null;
  map.doubleClickZoom.enable();
  shape.remove();
  rubber.remove();
  corners.remove();
  say("", { seen: false });
  look(false);
}

function look(on) {
  at("tool-draw").setAttribute("aria-pressed", String(on));
  at("draw-bar").hidden = !on;
  document.body.classList.toggle("drawing", on);
  tell();
}

function tell() {
  at("draw-done").disabled = !points || points.length < 3;
}

function corner(place, point) {
  const first = points.length > 2 ? map.latLngToContainerPoint(points[0]) : null;
  if (first && point && first.distanceTo(point) < CLOSE) return close();
  const last = points.length ? map.latLngToContainerPoint(points.at(-1)) : null;
  const here = map.latLngToContainerPoint(place);
  if (last && last.distanceTo(here) < 2) return null; // the second click of a double click
  points.push(place);
  L.circleMarker(place, { radius: 4, className: "corner", interactive: false }).addTo(corners);
  shape.setLatLngs(points);
  return tell();
}

function close() {
  if (!points || points.length < 3) return;
  const ring = ringOf(points);
  stop();
  done(ring);
}

function wholeView() {
  const bounds = map.getBounds();
  const ring = ringOf(["SouthWest", "SouthEast", "NorthEast", "NorthWest"].map((name) => bounds[`get${name}`]()));
  stop();
  done(ring);
}

/** Corners as GeoJSON has them; an area across the antimeridian runs on past 180°. */
function ringOf(places) {
  const middle = places.reduce((sum, { lng }) => sum + lng, 0) / places.length;
  const turn = turned(middle) - middle;
  return places.map(({ lat, lng }) => [lng + turn, lat]);
}

function done(ring) {
  const geometry = { type: "Polygon", coordinates: [[...ring, ring[0]]] };
  showDrawn(geometry);
  finish(geometry);
}

function key(event) {
  if (!drawing() || event.target !== map.getContainer()) return;
  const act = {
    " ": () => corner(map.getCenter(), null),
    Enter: close,
    Escape: stop,
    Backspace: undo,
  }[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  act();
}

function undo() {
  points.pop();
  corners.clearLayers();
  for (const place of points) L.circleMarker(place, { radius: 4, className: "corner", interactive: false }).addTo(corners);
  shape.setLatLngs(points);
  tell();
}

/** The cross in the middle of the map, where the keyboard points at. */
export const crosshair = () => el("div", { class: "crosshair", "aria-hidden": "true" });
