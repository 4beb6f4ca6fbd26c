/** The Leaflet map: one for the page, quiet where its reader asked for little motion. */

import { at } from "./elements.js";
import { word } from "./words.js";

const L = window.L;

/** Whether the reader's system asks for little motion. */
export const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Whether the panel is a sheet at the foot of the window; map.css and panel.css turn at the same width. */
export const narrow = window.matchMedia("(max-width: 50rem)");

const AIR = 22; // pixels between what is gone to and what lies over the map
const LEAST = 120; // pixels that stay free between the tools and the card

/** The map that fills the window. */
export const map = L.map("map", {
  zoomControl: false,
  attributionControl: false,
  fadeAnimation: false,
  zoomAnimation: !calm,
  inertia: !calm,
  worldCopyJump: false,
  minZoom: 1,
  maxZoom: 22,
  keyboardPanDelta: 120,
});

L.control.zoom({ position: "bottomright", zoomInTitle: word("Zoom in"), zoomOutTitle: word("Zoom out") }).addTo(map);
L.control.scale({ position: "bottomright", imperial: false, maxWidth: 120 }).addTo(map);
export const credits = L.control.attribution({ position: "bottomright", prefix: "Leaflet" }).addTo(map);

const room = at("map");
room.setAttribute("role", "application");
room.setAttribute("aria-label", word("Map. Arrows move it, plus and minus zoom, Enter reads the values in the middle."));

/** How far round the earth, in degrees, a longitude has to be brought to lie nearest to what is looked at. */
export const turnOf = (lon) => (map._loaded ? 360 * Math.round((map.getCenter().lng - lon) / 360) : 0);

/** Bounds `[west, south, east, north]` for Leaflet, nearest to what is looked at; across the antimeridian they run on. */
export function boundsOf([west, south, east, north]) {
  const end = east < west ? east + 360 : east;
  const turn = turnOf((west + end) / 2);
  return L.latLngBounds([south, west + turn], [north, end + turn]);
}

/** How much of the map lies under the panel, the tools, the card and the timeline, in pixels, with a little air. */
export function covered() {
  const box = (id) => at(id).getBoundingClientRect(); // all zero of what is hidden
  const over = (id) => (at(id).hidden ? 0 : innerHeight - box(id).top);
  const top = Math.max(...["tools", "swipe-bar", "draw-bar"].map((id) => box(id).bottom)) + AIR;
  if (narrow.matches) {
    const bottom = Math.max(over("timeline"), over("card"), 60) + AIR;
    return { left: AIR, top, right: AIR, bottom: Math.min(bottom, innerHeight - top - LEAST) };
  }
  const left = document.body.classList.contains("folded") ? 0 : box("panel").right;
  return { left: left + AIR, top, right: (at("card").hidden ? 0 : innerWidth - box("card").left) + AIR, bottom: Math.max(over("timeline"), 96) + AIR };
}

/** Shows these bounds between what lies over the map. */
export function fit(bounds) {
  const { left, top, right, bottom } = covered();
  map.fitBounds(boundsOf(bounds), {
    paddingTopLeft: [left, top],
    paddingBottomRight: [right, bottom],
    maxZoom: 20,
    animate: !calm && Boolean(map._loaded),
  });
}

/** What is seen, as `[west, south, east, north]` on the globe. */
export function seen() {
  const bounds = map.getBounds();
  const limit = (value, most) => Math.min(most, Math.max(-most, value));
  const west = bounds.getWest();
  const east = bounds.getEast();
  if (east - west >= 360) return [-180, limit(bounds.getSouth(), 90), 180, limit(bounds.getNorth(), 90)];
  return [turned(west), limit(bounds.getSouth(), 90), turned(east), limit(bounds.getNorth(), 90)];
}

/** A longitude between −180° and 180°. */
export const turned = (lon) => (lon >= -180 && lon <= 180 ? lon : ((((lon + 180) % 360) + 360) % 360) - 180);

/** A pane of its own at that height, so that it can be faded, clipped and raised as one thing. */
export function paneOf(name, height) {
  const pane = map.getPane(name) ?? map.createPane(name);
  pane.style.zIndex = String(height);
  return pane;
}
