/** Lays what the view shows on the map: one pane per layer, in order, faded, and at the date of the timeline. */

import { frameAt } from "./frames.js";
import { boundsOf, map, paneOf } from "./map.js";
import { RasterLayer } from "./rasters.js";
import { VectorLayer } from "./vectors.js";
import { view } from "./view.js";

const L = window.L;
const LOWEST = 210;
const FAR = 14; // pixels: an image smaller than this on the screen is shown as a dot

/** Tells "complaint" when a layer has something to say, or nothing more to say. */
export const stack = new EventTarget();

const drawn = new Map();
const complaints = new Map();
const dots = L.layerGroup().addTo(map);

/** What is wrong with that layer, or null. */
export const complaintOf = (id) => complaints.get(id) ?? null;

/** The name of the pane in which a layer is drawn. */
export const paneName = (id) => `layer-${id}`;

/** Begins to follow the view. */
export function begin() {
  view.on("shown date runs", lay);
  map.on("moveend", placeDots);
}

/** Every layer once more, after the server came back. */
export function again() {
  for (const { picture } of drawn.values()) picture.again();
}

/** Settles when all layers show the date that was asked for. */
export const settled = () => Promise.all([...drawn.values()].map(({ ready }) => ready));

/** Loads the pictures of that date out of sight. */
export function ahead(date) {
  for (const { id, band } of view.shown) drawn.get(id)?.picture.preload(frameAt(view.layers.get(id), date), band);
}

/** The shapes at a place of the window, the uppermost first: `{layer, feature}`. */
export function shapesAt({ x, y }) {
  const found = document.elementsFromPoint(x, y).flatMap((element) =>
    [...drawn].map(([id, { picture }]) => ({ layer: view.layers.get(id), feature: picture.featureOf?.(element) })),
  );
  return found.filter(({ feature }) => feature);
}

/** Puts a frame around one shape of one layer. */
export function mark(layer, feature) {
  for (const [id, { picture }] of drawn) picture.mark?.(id === layer ? feature : null);
}

function lay() {
  for (const [id, { picture }] of drawn) {
    if (view.shows(id) && view.layers.has(id)) continue;
    picture.remove();
    drawn.delete(id);
    complaints.delete(id);
  }
  view.shown.forEach(({ id, opacity, band }, index) => {
    const layer = view.layers.get(id);
    const pane = paneOf(paneName(id), LOWEST + view.shown.length - index);
    pane.style.opacity = String(opacity);
    if (!drawn.has(id)) drawn.set(id, { picture: made(layer), ready: null });
    const one = drawn.get(id);
    one.ready = one.picture.show(frameAt(layer, view.date), band);
  });
  placeDots();
}

function made(layer) {
  const complain = (about) => {
    if ((complaints.get(layer.id) ?? null) === about) return;
    complaints.set(layer.id, about);
    stack.dispatchEvent(new Event("complaint"));
  };
  return new (layer.source === "vector" ? VectorLayer : RasterLayer)(layer, paneName(layer.id), complain);
}

/** From far away an image is a dot: something to find it by. */
function placeDots() {
  dots.clearLayers();
  if (!map._loaded) return;
  for (const layer of view.visible) {
    const bounds = boundsOf(layer.bounds);
    const corner = map.latLngToContainerPoint(bounds.getNorthWest());
    const other = map.latLngToContainerPoint(bounds.getSouthEast());
    if (Math.max(other.x - corner.x, other.y - corner.y) >= FAR) continue;
    const middle = map.containerPointToLatLng(corner.add(other).divideBy(2));
    L.circleMarker(middle, { radius: 7, weight: 2, className: "dot", interactive: false }).addTo(dots);
  }
}
