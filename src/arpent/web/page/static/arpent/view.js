/** What is looked at: the runs that the server has, the layers shown, their order, and the date. One place for all. */

import { moves } from "./frames.js";

/**
 * Tells its listeners what became different: "runs" (the server's list), "shown" (which layers, their order, opacity or
 * band), "date", "swipe".
 */
class View extends EventTarget {
  runs = [];
  layers = new Map();
  /** The layers on the map, the uppermost first: `{id, opacity (0 to 1), band (1, 2, …)}`. */
  shown = [];
  /** The date that is shown, null where no layer has several; and whether the reader chose it. */
  date = null;
  chosen = false;
  /** Where the divider stands (0 to 100 % of the width) and which date is on its left (null: what lies beneath); or null. */
  swipe = null;

  /** Takes the server's list in; what is shown stays shown as long as it exists. */
  learn(runs) {
    this.runs = runs;
    this.layers = new Map(runs.flatMap((run) => run.layers.map((layer) => [layer.id, { ...layer, run }])));
    const kept = this.shown.filter(({ id }) => this.layers.has(id));
    const changed = kept.length !== this.shown.length;
    this.shown = kept;
    this.#tell("runs");
    if (changed) this.#tell("shown");
  }

  /** The shown layers themselves, the uppermost first. */
  get visible() {
    return this.shown.map(({ id }) => this.layers.get(id)).filter(Boolean);
  }

  shows(id) {
    return this.shown.some((entry) => entry.id === id);
  }

  /** Lays a layer on top of the others. */
  show(id, { opacity = 1, band = 1 } = {}) {
    if (this.shows(id) || !this.layers.has(id)) return;
    this.shown = [{ id, opacity, band }, ...this.shown];
    this.#tell("shown");
  }

  hide(id) {
    this.shown = this.shown.filter((entry) => entry.id !== id);
    this.#tell("shown");
  }

  /** Moves a layer to that place from the top. */
  place(id, index) {
    const entry = this.shown.find((one) => one.id === id);
    const others = this.shown.filter((one) => one.id !== id);
    if (!entry || index < 0 || index > others.length) return;
    this.shown = [...others.slice(0, index), entry, ...others.slice(index)];
    this.#tell("shown");
  }

  /** Changes how one layer is shown: `{opacity}` or `{band}`. */
  adjust(id, change) {
    this.shown = this.shown.map((entry) => (entry.id === id ? { ...entry, ...change } : entry));
    this.#tell("shown");
  }

  /** Everything at once, as a permalink says it. */
  restore({ layers, date, swipe }) {
    this.shown = layers.filter(({ id }) => this.layers.has(id));
    this.date = date;
    this.chosen = date !== null;
    this.swipe = swipe;
    for (const what of ["shown", "date", "swipe"]) this.#tell(what);
  }

  /** Goes to a date; `chosen` is false where nobody asked for it. */
  go(date, { chosen = true } = {}) {
    this.chosen = chosen;
    if (date === this.date) return;
    this.date = date;
    this.#tell("date");
  }

  divide(swipe) {
    this.swipe = swipe;
    this.#tell("swipe");
  }

  /** What a reader who comes for the first time sees: the newest run's most telling layer, on its image if it has one. */
  open() {
    const run = this.runs.find((one) => one.layers.length);
    if (!run) return null;
    const picture = run.layers.find((layer) => layer.kind === "composite");
    const first = run.layers.find((layer) => moves(layer) && layer.kind !== "composite") ?? run.layers.find((layer) => layer.kind !== "composite");
    for (const layer of [picture, first]) if (layer) this.show(layer.id);
    return first ?? picture;
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }

  /** Calls `listener` at each of these changes. */
  on(what, listener) {
    for (const one of what.split(" ")) this.addEventListener(one, listener);
  }
}

export const view = new View();
