/** What lies in a drawn area: surface per class per date, as a table and as a file for a spreadsheet. */

import { Failure, post } from "./api.js";
import { closeCard, openCard } from "./card.js";
import { clearDrawn, showDrawn } from "./draw.js";
import { el, fill } from "./elements.js";
import { failure } from "./failures.js";
import { swatch } from "./legend.js";
import { save } from "./save.js";
import { view } from "./view.js";
import { LANG, area, day, measured, share, told, word } from "./words.js";

const KEPT = "arpent-drawn"; // the session's storage: a change of language loads the page anew

/** Measures a polygon (GeoJSON) on the visible layers and shows the table. */
export async function measure(polygon) {
  const layers = view.visible.map(({ id }) => id);
  sessionStorage.setItem(KEPT, JSON.stringify(polygon));
  const title = word("Areas");
  if (!layers.length) return openCard(title, [el("p", { text: word("No layer is on the map: choose one, then draw again.") })], forget);
  const waits = openCard(title, [el("p", { class: "quiet", text: word("Measuring …") })], forget);
  const found = await report({ polygon, layers }).catch(trouble);
  if (!waits()) return null;
  openCard(title, found, forget);
  sessionStorage.setItem(KEPT, JSON.stringify(polygon));
  return showDrawn(polygon);
}

/** The polygon that was there before the page was loaded anew. */
export function resume() {
  const kept = sessionStorage.getItem(KEPT);
  if (kept) measure(JSON.parse(kept));
}

function forget() {
  sessionStorage.removeItem(KEPT);
  clearDrawn();
}

function trouble(error) {
  if (!(error instanceof Failure)) throw error;
  return [failure(error, { role: "alert" })];
}

async function report(asked) {
  const { rows } = await (await post("/api/areas", asked)).json();
  const found = view.visible.filter(({ id }) => rows.some((row) => row.layer === id));
  if (!found.length) return [el("p", { text: word("Nothing of the visible layers lies in this area.") }), again()];
  const said = el("div");
  const click = () => csv(asked).then(() => [], trouble).then((children) => fill(said, children));
  const download = el("button", { type: "button", class: "wide", text: word("Save as CSV"), on: { click } });
  return [...found.map((layer) => section(layer, rows.filter((row) => row.layer === layer.id))), download, said, again()];
}

const again = () => el("button", { type: "button", class: "wide plain", text: word("Remove the area"), on: { click: closeCard } });

function section(layer, rows) {
  const frames = [...new Map(rows.map((row) => [row.frame, row.date]))].sort(([, one], [, other]) => ((one ?? "") < (other ?? "") ? -1 : 1));
  const classes = [...new Map(rows.map((row) => [row.class?.value ?? null, row.class]))];
  const cell = (value, frame) => rows.find((row) => (row.class?.value ?? null) === value && row.frame === frame);
  const head = frames.map(([, date]) => el("th", { scope: "col", text: date ? day(date) : word("Area") }));
  const body = classes.map(([value, meaning]) => el("tr", {}, nameOf(layer, value, meaning), frames.map(([frame]) => figure(cell(value, frame)))));
  const table = el("table", { class: "areas" }, el("thead", {}, el("tr", {}, el("th", { scope: "col", text: word("Class") }), head)), el("tbody", {}, body));
  return el("section", {}, el("h3", { text: told(layer.title) }), el("div", { class: "wide-table", tabindex: 0, role: "region", "aria-label": told(layer.title) }, table));
}

function nameOf(layer, value, meaning) {
  const colour = layer.legend?.entries?.find((entry) => entry.value === value)?.colour;
  return el("th", { scope: "row" }, colour ? swatch(colour) : null, meaning ? told(meaning) : word("Mean"));
}

function figure(row) {
  if (!row) return el("td", { text: "–" });
  if (!row.class && Number.isFinite(row.mean)) return el("td", { text: measured(row.mean) });
  return el("td", {}, el("span", { text: area(row.area_m2) }), Number.isFinite(row.share) ? el("small", { class: "quiet", text: share(row.share) }) : null);
}

async function csv(asked) {
  const answer = await post(`/api/areas?format=csv&lang=${LANG}`, asked);
  save(await answer.blob(), word("areas.csv"));
}
