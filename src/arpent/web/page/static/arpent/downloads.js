/** Files of what is seen: each visible layer at its date, cut to the view; and the address of the view itself. */

import { at, el, fill } from "./elements.js";
import { frameAt } from "./frames.js";
import { map, seen } from "./map.js";
import { say } from "./notices.js";
import { view } from "./view.js";
import { day, told, word } from "./words.js";

/** Binds both menus. */
export function begin() {
  at("downloads").addEventListener("toggle", (event) => event.newState === "open" && list());
  map.on("moveend", list);
  view.on("shown date", list);
  at("share").addEventListener("toggle", (event) => {
    if (event.newState === "open") at("share-address").value = location.href;
  });
  at("share-copy").addEventListener("click", copy);
}

function list() {
  const links = view.visible.map(link).filter(Boolean);
  fill(at("downloads-list"), links.length ? links : el("li", { class: "quiet", text: word("No layer is on the map.") }));
}

function link(layer) {
  const frame = frameAt(layer, view.date);
  if (!frame) return null;
  const query = new URLSearchParams({ frame: frame.id, bbox: seen().map((degree) => degree.toFixed(6)).join(",") });
  const kind = layer.source === "vector" ? "GeoJSON" : "GeoTIFF";
  const text = [told(layer.title), frame.date ? day(frame.date) : ""].filter(Boolean).join(", ");
  return el("li", {}, el("a", { href: `/api/layers/${layer.id}/clip?${query}`, download: true }, el("span", { text }), el("small", { text: kind })));
}

async function copy() {
  const field = at("share-address");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    say(word("The address is copied."));
  } catch (error) {
    if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
    say(word("Copy the address that is marked.")); // no clipboard without https or consent
  }
}
