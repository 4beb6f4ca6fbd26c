/** What the colours of a layer mean. */

import { el } from "./elements.js";
import { measured, told } from "./words.js";

const FEW = 12;

/** The legend of a layer, or null where there is nothing to say. */
export function legend({ legend: meaning, kind }) {
  if (!meaning || kind === "composite") return null;
  if (meaning.ramp?.length) return ramp(meaning);
  return meaning.entries?.length ? entries(meaning) : null;
}

/** The bands that can be chosen, in the reader's language where a legend of the same run has a class of that name. */
export function bandsOf({ bands, run }) {
  const known = new Map(run.layers.flatMap((layer) => layer.legend?.entries ?? []).map((entry) => [entry.en, entry]));
  return bands.map((name) => told(known.get(name) ?? name));
}

/** A little square of a colour. */
export function swatch(colour) {
  const square = el("i", { class: "swatch", "aria-hidden": "true" });
  square.style.background = colour ?? "transparent";
  return square;
}

function entries({ entries: list }) {
  const rows = list.map((entry) => el("li", {}, swatch(entry.colour), el("span", { text: told(entry) })));
  return el("ul", { class: list.length > FEW ? "legend many" : "legend" }, rows);
}

function ramp({ ramp: colours, low, high, unit }) {
  const bar = el("div", { class: "bar", "aria-hidden": "true" });
  bar.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
  const unitText = told(unit);
  const ends = el("p", { class: "ends" }, el("span", { text: measured(low) }), el("span", { class: "unit", text: unitText }), el("span", { text: measured(high) }));
  return el("div", { class: "ramp" }, bar, ends);
}
