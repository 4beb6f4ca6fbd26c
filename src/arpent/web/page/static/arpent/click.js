/** A click on the map: what every visible layer says of that place, its series, and the shape that lies there. */

import { Failure, get } from "./api.js";
import { MOST_NUMBERS, chart, valueText } from "./chart.js";
import { el, fill } from "./elements.js";
import { failure } from "./failures.js";
import { frameAt } from "./frames.js";
import { bandsOf, swatch } from "./legend.js";
import { covered, map, turned } from "./map.js";
import { say } from "./notices.js";
import { openFeature } from "./parcel.js";
import { shapesAt } from "./stack.js";
import { view } from "./view.js";
import { day, latitude, longitude, told, word } from "./words.js";

const L = window.L;
const popup = L.popup({ maxWidth: 300, minWidth: 268 });
let asked = null;
let busy = () => false;

/** Begins to listen to clicks, and to Enter for the middle of the map; `drawing()` tells when clicks mean corners. */
export function begin(drawing) {
  busy = drawing;
  map.on("click", (event) => busy() || inspect(event.latlng, event.containerPoint));
  map.getContainer().addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target !== map.getContainer() || busy()) return;
    inspect(map.getCenter(), map.getSize().divideBy(2));
  });
}

async function inspect(place, point) {
  const frame = map.getContainer().getBoundingClientRect();
  const [shape] = shapesAt({ x: frame.left + point.x, y: frame.top + point.y });
  if (shape) openFeature(shape.feature.id, shape.layer.id);
  const rasters = view.visible.filter((layer) => layer.source !== "vector");
  if (!rasters.length) {
    map.closePopup(popup);
    return;
  }
  asked?.abort();
  asked = new AbortController();
  const { left, top, right, bottom } = covered();
  Object.assign(popup.options, { autoPanPaddingTopLeft: [left, top], autoPanPaddingBottomRight: [right, bottom] });
  const body = el("div", { class: "reading" }, el("p", { class: "quiet", text: word("Reading …") }));
  popup.setLatLng(place).setContent(body).openOn(map);
  map.getContainer().querySelector(".leaflet-popup-close-button")?.setAttribute("aria-label", word("Close"));
  try {
    const query = new URLSearchParams({ lat: place.lat.toFixed(7), lon: turned(place.lng).toFixed(7), layers: rasters.map(({ id }) => id).join(",") });
    const { layers } = await get(`/api/point?${query}`, { signal: asked.signal });
    fill(body, heading(place), sections(rasters, layers));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Failure)) throw error;
    fill(body, failure(error));
  }
  popup.update();
  say([...body.querySelectorAll("h3, strong")].map((part) => part.textContent).join(", "), { seen: false });
}

/** What each layer says; those that do not reach this place say nothing. */
function sections(rasters, answers) {
  const all = rasters.map((layer) => [layer, answers.find(({ id }) => id === layer.id)?.values ?? []]);
  const reached = all.filter(([, values]) => values.some(({ value }) => value !== null && value !== undefined));
  return reached.length ? reached.map(([layer, values]) => section(layer, values)) : el("p", { class: "quiet", text: word("no data") });
}

function heading({ lat, lng }) {
  return el("p", { class: "place quiet", text: `${latitude(lat, 5)}, ${longitude(turned(lng), 5)}` });
}

function section(layer, values) {
  const unit = told(layer.legend?.unit);
  const observed = new Map(layer.frames.map((frame) => [frame.id, frame.observed]));
  const names = bandsOf(layer);
  const { band } = view.shown.find(({ id }) => id === layer.id) ?? { band: 1 };
  const series = values.map((one) => ({ ...one, ...(names.length ? ofBand(one, band) : {}), names, observed: observed.get(one.frame) ?? true }));
  const now = frameAt(layer, view.date);
  const current = series.find((one) => one.frame === now?.id) ?? (now ? series[0] : undefined);
  const said = current ? valueText(current, unit) : word("no data");
  const line = el("p", { class: "value" }, current?.colour ? swatch(current.colour) : null, el("strong", { text: said }), now?.date ? el("small", { class: "quiet", text: day(now.date) }) : null);
  const classes = Boolean(layer.legend?.entries?.length) && !layer.legend?.ramp?.length;
  const course = chart(series, { now: now?.date, unit, classes });
  const drawn = names.length && (course || names.length > MOST_NUMBERS) ? el("p", { class: "quiet", text: names[band - 1] }) : null;
  return el("section", {}, el("h3", { text: told(layer.title) }), line, drawn, course);
}

/** The value of the band that is shown; its colour is known of the first only. */
function ofBand({ value, colour, numbers }, band) {
  return band === 1 ? { value, colour } : { value: numbers[band - 1] ?? null, colour: null };
}
