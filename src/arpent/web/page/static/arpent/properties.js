/** What a shape's table says of it, in the reader's words; columns that Arpent does not write keep their names. */

import { el } from "./elements.js";
import { area, day, measured, share, told, word } from "./words.js";

const INNER = new Set(["value", "label", "colour", "layer", "title"]);
const NAMES_OF_CLASS = new Set(["classe", "class_en"]);
const STATISTIC = /^([a-z]+\d*)_(mean|std)$/;

/** Columns that Arpent writes: how each is called, and how its values are written where they are not plain. */
const KNOWN = {
  picture: { text: word("Picture") },
  image: { text: word("Image") },
  labels: { text: word("Labels") },
  caption: { text: word("Caption") },
  parcel: { text: word("Parcel") },
  place: { text: word("Place") },
  crop: { text: word("Crop") },
  taken: { text: word("Date"), write: day },
  date: { text: word("Date"), write: day },
  pixels: { text: word("Pixels") },
  valid: { text: word("Seen"), write: share },
  cloud: { text: word("Under clouds"), write: share },
  area_m2: { text: word("Area"), write: area },
  vegetation: { text: word("Vegetation"), write: share },
  soil: { text: word("Bare soil"), write: share },
  water: { text: word("Water"), write: share },
  numero: { text: word("Number in CoSIA") },
};

/** The name of the class where the title is another, and all columns; many are folded, where there is `more` to read. */
export function properties(all, title, more) {
  const label = told(all.label);
  const again = (name) => (label && NAMES_OF_CLASS.has(name)) || (name === "date" && all.taken);
  const shown = ([name, value]) => !INNER.has(name) && !again(name) && value !== null && value !== "" && typeof value !== "object";
  const rows = Object.entries(all)
    .filter(shown)
    .map(([name, value]) => el("tr", {}, el("th", { scope: "row", text: nameOf(name) }), el("td", { text: written(name, value) })));
  return [
    label && label !== title ? el("p", { class: "value" }, el("strong", { text: label })) : null,
    rows.length ? el("details", { class: "properties", open: !more || rows.length < 12 }, el("summary", { text: word("Properties") }), el("table", { class: "values" }, el("tbody", {}, rows))) : null,
  ];
}

/** A value as it is read, whatever it is of. */
export function plain(value) {
  if (typeof value === "number") return measured(value);
  if (typeof value === "boolean") return word(value ? "yes" : "no");
  return Array.isArray(value) ? value.map(plain).join(" – ") : String(value);
}

function nameOf(name) {
  const [, index, statistic] = STATISTIC.exec(name) ?? [];
  const whole = statistic === "mean";
  if (index) return word(whole ? "{index}, mean" : "{index}, spread", { index: index.toUpperCase() });
  return Object.hasOwn(KNOWN, name) ? KNOWN[name].text : name;
}

function written(name, value) {
  const { write } = Object.hasOwn(KNOWN, name) ? KNOWN[name] : {};
  const fits = write === day ? Number.isFinite(Date.parse(value)) : typeof value === "number";
  return write && fits ? write(value) : plain(value);
}
