/** What lies beneath everything: land, sea and a graticule, drawn from bundled data; OpenStreetMap only when asked for. */

import { at } from "./elements.js";
import { credits, map, paneOf, turned } from "./map.js";
import { latitude, longitude } from "./words.js";

const L = window.L;
const STEPS = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
const COAST_HOLDS = 9; // zoom up to which a coast at 1:50 million is where it is drawn
const LINES_APART = 150; // pixels, at least

paneOf("land", 110);
paneOf("graticule", 120);
paneOf("internet", 130);

const canvas = L.canvas({ pane: "land", padding: 0.3 });
const lines = L.svg({ pane: "graticule", padding: 0.3 });
const drawn = { land: L.layerGroup(), graticule: L.layerGroup() };
let rings = [];

const openStreetMap = L.tileLayer("https://tile.openstreetmap.org/{z}/{x}/{y}.png", {
  pane: "internet",
  maxNativeZoom: 19,
  maxZoom: 22,
  referrerPolicy: "strict-origin-when-cross-origin",
});
const CREDIT = "© OpenStreetMap contributors";

/** Draws the background and binds its two boxes. */
export async function begin() {
  drawn.land.addTo(map);
  drawn.graticule.addTo(map);
  map.on("moveend", drawGraticule);
  map.on("zoomend", () => map.getContainer().classList.toggle("near", map.getZoom() > COAST_HOLDS));
  bind("graticule", (on) => (on ? drawn.graticule.addTo(map) : drawn.graticule.remove()));
  bind("openstreetmap", (on) => {
    if (on) credits.addAttribution(CREDIT);
    else credits.removeAttribution(CREDIT);
    (on ? openStreetMap.addTo(map) : openStreetMap.remove());
  });
  const answer = await fetch(at("map").dataset.coast);
  const coast = await answer.json();
  rings = coast.polygons.map((polygon) => polygon.map((ring) => corners(ring, coast.unit)));
  drawLand();
}

/** Draws everything in the colours of the theme that has just been chosen. */
export function recolour() {
  drawLand();
  drawGraticule();
}

function bind(name, act) {
  const box = at(`background-${name}`);
  box.addEventListener("change", () => act(box.checked));
}

function corners(ring, unit) {
  const found = [];
  let [lon, lat] = [0, 0];
  for (let index = 0; index < ring.length; index += 2) {
    lon += ring[index];
    lat += ring[index + 1];
    found.push([lat * unit, lon * unit]);
  }
  return found;
}

function drawLand() {
  drawn.land.clearLayers();
  if (!rings.length) return;
  const quiet = { renderer: canvas, interactive: false, pane: "land" };
  for (const turn of [-360, 0, 360]) {
    const moved = rings.map((polygon) => polygon.map((ring) => ring.map(([lat, lon]) => [lat, lon + turn])));
    L.polygon(moved, { ...quiet, stroke: false, fillColor: colour("--land"), fillOpacity: 1 }).addTo(drawn.land);
    const shore = moved.flat().flatMap((ring) => shores(ring, turn));
    L.polyline(shore, { ...quiet, color: colour("--shore"), weight: 1 }).addTo(drawn.land);
  }
}

/** A ring without the sides that are no shore: the cut along the antimeridian and the foot of the Antarctic. */
function shores(ring, turn) {
  const cut = ([lat, lon]) => Math.abs(lon - turn) > 179.99 || lat < -89.9;
  const found = [[]];
  ring.forEach((corner, index) => {
    if (index && cut(corner) && cut(ring[index - 1])) found.push([]);
    found.at(-1).push(corner);
  });
  return found.filter((line) => line.length > 1);
}

function drawGraticule() {
  drawn.graticule.clearLayers();
  const bounds = map.getBounds().pad(0.2);
  const degree = map.getSize().x / Math.max(1e-9, map.getBounds().getEast() - map.getBounds().getWest());
  const step = STEPS.findLast((one) => one * degree >= LINES_APART) ?? STEPS[0];
  const digits = step < 1 ? Math.ceil(-Math.log10(step) - 1e-9) : 0;
  const [south, north] = [Math.max(-85, bounds.getSouth()), Math.min(85, bounds.getNorth())];
  const line = { renderer: lines, interactive: false, color: colour("--graticule"), weight: 1, pane: "graticule" };
  const foot = map.containerPointToLatLng([0, 0]);
  for (const lon of multiples(bounds.getWest(), bounds.getEast(), step)) {
    L.polyline([[south, lon], [north, lon]], line).addTo(drawn.graticule);
    label([foot.lat, lon], longitude(turned(lon), digits), "meridian");
  }
  const edge = map.containerPointToLatLng([map.getSize().x, 0]);
  for (const lat of multiples(south, north, step)) {
    L.polyline([[lat, bounds.getWest()], [lat, bounds.getEast()]], line).addTo(drawn.graticule);
    label([lat, edge.lng], latitude(lat, digits), "parallel");
  }
}

function multiples(low, high, step) {
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, index) => (first + index) * step);
}

function label(place, text, kind) {
  const sign = document.createElement("span");
  sign.textContent = text;
  const settings = { html: sign, className: `degree ${kind}`, iconSize: null };
  L.marker(place, { icon: L.divIcon(settings), interactive: false, keyboard: false, pane: "graticule" }).addTo(drawn.graticule);
}

/** A colour of the style sheet as the canvas needs it: worked out for the theme that is on. */
function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
