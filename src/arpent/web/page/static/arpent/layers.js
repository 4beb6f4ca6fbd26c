/** The panel's two lists: the layers on the map, in order, and the runs with all that they hold. */

import { at, el, fill, tool } from "./elements.js";
import { failure } from "./failures.js";
import { bandsOf, legend } from "./legend.js";
import { boundsOf, fit, map } from "./map.js";
import { say } from "./notices.js";
import { complaintOf, stack } from "./stack.js";
import { skill } from "./skill.js";
import { frameText } from "./timeline.js";
import { view } from "./view.js";
import { LANG, day, folded, number, told, word, words } from "./words.js";

const MANY = 6; // layers of a run that are listed without being folded by place
const SHORT = 140; // characters of a warning that are shown without being asked for
const BEGINNING = /^(warning|attention)\s*:\s*/i; // of many warnings, in both languages
const filter = { text: "", from: "", to: "" };
const closed = new Set();
let dragged = null;

/** Begins to follow the view. */
export function begin() {
  view.on("shown date runs", listShown);
  view.on("runs", listRuns);
  view.on("shown", tickRuns);
  stack.addEventListener("complaint", listShown);
  for (const end of ["from", "to"]) at(`search-${end}`).addEventListener("input", (event) => narrow({ [end]: event.target.value }));
}

/** Leaves only runs and layers whose name holds `text` and whose dates lie between `from` and `to`. */
export function narrow(change) {
  Object.assign(filter, change);
  listRuns();
}

function listShown() {
  const held = at("shown").contains(document.activeElement) && document.activeElement.type === "range";
  if (held && [...at("shown").children].map((row) => Number(row.dataset.layer)).join() === view.shown.map(({ id }) => id).join()) return refresh();
  const focus = document.activeElement?.dataset?.focus;
  fill(at("shown"), view.shown.map((entry, index) => shownRow(entry, index)));
  at("shown-none").hidden = view.shown.length > 0 || !view.runs.length;
  at("shown-count").textContent = view.shown.length ? number(view.shown.length) : "";
  if (focus) at("panel").querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
}

/** While a slider is held only the texts change: the slider itself must stay. */
function refresh() {
  for (const layer of view.visible) {
    const row = at("shown").querySelector(`[data-layer="${layer.id}"]`);
    if (row) row.querySelector(".when").textContent = frameText(layer);
  }
}

function shownRow({ id, opacity, band }, index) {
  const layer = view.layers.get(id);
  const title = told(layer.title);
  const key = (name) => ({ data: { focus: `${name}-${id}` } });
  const row = el(
    "li",
    { class: "layer", draggable: "true", data: { layer: id } },
    el(
      "header",
      {},
      el("h3", { text: title }),
      tool("up", word("Raise {layer}", { layer: title }), () => view.place(id, index - 1), { disabled: index === 0, ...key("up") }),
      tool("down", word("Lower {layer}", { layer: title }), () => view.place(id, index + 1), { disabled: index === view.shown.length - 1, ...key("down") }),
      tool("fit", word("Go to {layer}", { layer: title }), () => fit(layer.bounds), key("fit")),
      tool("close", word("Take {layer} off the map", { layer: title }), () => view.hide(id), key("hide")),
    ),
    el("p", { class: "quiet source" }, el("span", { text: layer.run.name }), " ", el("span", { class: "when", text: frameText(layer) })),
    fader(id, opacity, title),
    layer.bands.length > 1 ? bandChooser(layer, band) : null,
    legend(layer),
    skill(layer),
    saidAbove(layer, index) ? null : warnings(layer),
    complaint(id),
  );
  row.addEventListener("dragstart", (event) => {
    if (event.target !== row) return;
    dragged = id;
    event.dataTransfer.effectAllowed = "move";
  });
  row.addEventListener("dragover", (event) => dragged !== null && event.preventDefault());
  row.addEventListener("drop", () => {
    if (dragged !== null && dragged !== id) view.place(dragged, index);
    dragged = null;
  });
  return row;
}

function fader(id, opacity, title) {
  const slider = el("input", { type: "range", min: 0, max: 100, step: 5, value: Math.round(opacity * 100), data: { focus: `opacity-${id}` }, "aria-label": word("Opacity of {layer}", { layer: title }) });
  const shown = el("output", { text: percent(opacity) });
  slider.addEventListener("input", () => {
    shown.textContent = percent(slider.valueAsNumber / 100);
    view.adjust(id, { opacity: slider.valueAsNumber / 100 });
  });
  slider.addEventListener("pointerenter", () => slider.closest("li").setAttribute("draggable", "false"));
  slider.addEventListener("pointerleave", () => slider.closest("li").setAttribute("draggable", "true"));
  return el("label", { class: "fader" }, el("span", { text: word("Opacity") }), slider, shown);
}

const percent = (value) => `${number(100 * value)}\u202f%`;

function bandChooser(layer, band) {
  const { id, kind, bands } = layer;
  const options = bandsOf(layer).map((text, index) => el("option", { value: index + 1, text, selected: index + 1 === band }));
  const count = kind === "probability" ? words("{n} class", "{n} classes", bands.length) : words("{n} dimension", "{n} dimensions", bands.length);
  const chooser = el("select", { data: { focus: `band-${id}` }, on: { change: (event) => view.adjust(id, { band: Number(event.target.value) }) } }, options);
  return el("label", { class: "bands" }, el("span", { text: count }), chooser);
}

/** Whether a layer higher up, of the same run, says what makes this one doubtful too. */
function saidAbove({ run, warnings: own = [] }, index) {
  const above = view.shown.slice(0, index).map(({ id }) => view.layers.get(id));
  return above.some((layer) => layer.run.id === run.id && own.every((text) => layer.warnings?.includes(text)));
}

/** What makes a layer doubtful: one short line as it is, more behind their number; in the language that the run was made in. */
function warnings({ run: { language }, warnings: all = [] }) {
  const lines = [...new Set(all.map((text) => text.replace(BEGINNING, "")))];
  const foreign = language === LANG ? null : el("small", { class: "quiet", text: ` (${language === "fr" ? word("in French") : word("in English")})` });
  if (lines.join().length <= SHORT) return lines.map((text) => el("p", { class: "warning" }, el("span", { lang: language, text }), foreign?.cloneNode(true)));
  const list = el("ul", { lang: language }, lines.map((text) => el("li", { text })));
  return el("details", { class: "warnings" }, el("summary", {}, el("span", { class: "warning", text: words("{n} warning", "{n} warnings", lines.length) }), foreign), list);
}

function complaint(id) {
  const about = complaintOf(id);
  if (!about) return null;
  const settings = { class: "warning", role: "alert" };
  return typeof about === "string" ? el("p", { ...settings, text: about }) : failure(about, settings);
}

function listRuns() {
  const sought = folded(filter.text.trim());
  const groups = view.runs.map((run) => runGroup(run, sought)).filter(Boolean);
  fill(at("runs"), groups);
  at("runs-none").hidden = groups.length > 0 || !view.runs.length;
  at("empty").hidden = view.runs.length > 0;
  at("lists").hidden = !view.runs.length;
}

function tickRuns() {
  for (const one of at("runs").querySelectorAll("input")) one.checked = view.shows(Number(one.dataset.layer));
}

function runGroup(run, sought) {
  const whole = folded(run.name).includes(sought);
  const layers = run.layers.filter((layer) => inTime(layer, run) && (whole || folded(`${layer.title.en} ${layer.title.fr} ${layer.name}`).includes(sought)));
  if (!layers.length && (sought || filter.from || filter.to)) return null;
  const boxes = layers.length > MANY && new Set(layers.map(placeOf)).size > 1 ? places(layers, sought) : layers.map((layer) => row(layer, told(layer.title)));
  const about = [taskText(run.task), run.created ? day(run.created.slice(0, 10)) : ""].filter(Boolean).join(" · ");
  const name = el("summary", {}, el("span", { class: "name", text: run.name }), el("small", { class: "quiet", text: about }));
  const empty = layers.length ? null : el("p", { class: "quiet", text: word("Nothing in this run can be put on a map.") });
  return el("details", { class: "run", open: !closed.has(run.id), on: { toggle: (event) => remember(run.id, event.target.open) } }, name, el("ul", {}, boxes), empty);
}

const row = (layer, title) => el("li", {}, el("label", {}, box(layer), el("span", { text: title }), el("small", { class: "quiet", text: span(layer) })));

/** The place that a title names at its end ("Images: bocage"), or nothing. */
const placeOf = ({ title }) => /: (.+)$/.exec(title.en)?.[1] ?? "";

/** Layers of many places, folded by place; those of none stand before them. */
function places(layers, sought) {
  const names = [...new Set(layers.map(placeOf))].sort();
  return names.flatMap((name) => {
    const own = layers.filter((layer) => placeOf(layer) === name);
    if (!name) return own.map((layer) => row(layer, told(layer.title)));
    const open = sought !== "" || own.some(({ id }) => view.shows(id));
    const short = (layer) => told(layer.title).replace(/\s?: .+$/, "");
    return [el("li", {}, el("details", { class: "place", open }, el("summary", { text: name }), el("ul", {}, own.map((layer) => row(layer, short(layer))))))];
  });
}

/** What made a run; tasks that the page does not know keep their own name. */
function taskText(task) {
  const known = {
    landcover: word("land cover"),
    change: word("change"),
    forecast: word("forecast"),
    describe: word("description"),
    classify: word("labels"),
    map: word("import"),
  };
  return known[task.split("-")[0]] ?? task;
}

function remember(id, open) {
  if (open) closed.delete(id);
  else closed.add(id);
}

function box(layer) {
  const shown = view.shows(layer.id);
  return el("input", { type: "checkbox", checked: shown, data: { focus: `box-${layer.id}`, layer: layer.id }, on: { change: (event) => put(layer, event.target.checked) } });
}

function put(layer, on) {
  if (on) view.show(layer.id);
  else view.hide(layer.id);
  if (on && !map.getBounds().intersects(boundsOf(layer.bounds))) fit(layer.bounds);
  say(word(on ? "{layer} is on the map" : "{layer} is off the map", { layer: told(layer.title) }), { seen: false });
}

/** The dates of a layer, as short as they can be said. */
function span({ frames }) {
  const dates = frames.map((frame) => frame.date).filter(Boolean).sort();
  if (!dates.length) return "";
  return dates.length === 1 ? day(dates[0]) : words("{n} date", "{n} dates", new Set(dates).size);
}

function inTime({ frames }, run) {
  const dates = frames.map((frame) => frame.date).filter(Boolean);
  const all = (dates.length ? dates : [run.created ?? ""]).map((date) => date.slice(0, 10));
  return all.some((date) => (!filter.from || date >= filter.from) && (!filter.to || date <= filter.to));
}
