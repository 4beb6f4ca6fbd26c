/** The timeline at the foot of the map: observed and predicted dates, the border of the issue date, play. */

import { at, el, fill, icon } from "./elements.js";
import { border, frameAt, stepAt, steps } from "./frames.js";
import { calm } from "./map.js";
import { ahead, settled } from "./stack.js";
import { view } from "./view.js";
import { day, month, shortDay, word } from "./words.js";

const MOST_LABELS = 9;
const PATIENCE = 4000; // milliseconds that play waits for one picture

const box = at("timeline");
const slider = at("timeline-slider");
const speed = at("timeline-speed");
let shownSteps = [];
let playing = null;

/** Begins to follow the view. */
export function begin() {
  view.on("shown runs", lay);
  view.on("date", tell);
  slider.addEventListener("input", () => view.go(shownSteps[slider.valueAsNumber].date));
  slider.addEventListener("pointerdown", pause);
  at("timeline-play").addEventListener("click", toggle);
  at("timeline-back").addEventListener("click", () => step(-1));
  at("timeline-on").addEventListener("click", () => step(1));
  if (calm) speed.value = "2400";
}

/** Starts to play, or stops. */
export function toggle() {
  if (playing) pause();
  else if (shownSteps.length > 1) play();
}

/** Goes that many dates on; past the end it begins again. */
export function step(by, { around = false } = {}) {
  if (shownSteps.length < 2) return;
  const next = slider.valueAsNumber + by;
  const count = shownSteps.length;
  view.go(shownSteps[around ? (next + count) % count : Math.min(count - 1, Math.max(0, next))].date);
}

async function play() {
  const token = (playing = {});
  sign();
  while (playing === token && shownSteps.length > 1) {
    const began = performance.now();
    step(1, { around: true });
    await Promise.race([settled(), pauseOf(PATIENCE)]);
    await pauseOf(Math.max(0, Number(speed.value) - (performance.now() - began)));
  }
}

function pause() {
  playing = null;
  sign();
}

const pauseOf = (milliseconds) => new Promise((settle) => setTimeout(settle, milliseconds));

function sign() {
  const button = at("timeline-play");
  const label = word(playing ? "Pause" : "Play");
  fill(button, icon(playing ? "pause" : "play"));
  button.setAttribute("aria-label", label);
  button.title = label;
  button.setAttribute("aria-pressed", String(Boolean(playing)));
}

function lay() {
  shownSteps = steps(view.visible);
  box.hidden = shownSteps.length < 2;
  document.body.classList.toggle("timed", !box.hidden);
  if (box.hidden) {
    pause();
    return;
  }
  slider.max = String(shownSteps.length - 1);
  const every = Math.ceil(shownSteps.length / MOST_LABELS);
  const edge = border(shownSteps, view.visible);
  fill(
    at("timeline-ticks"),
    shownSteps.map((one, index) => tick(one, index, labelled(index, every))),
    edge && edge.before > 0 && edge.before < shownSteps.length ? issued(edge) : null,
  );
  tell();
}

/** Which ticks have a label when there is no room for all: each n-th, and the last one if it does not touch another. */
function labelled(index, every) {
  const last = shownSteps.length - 1;
  return index === last || (index % every === 0 && last - index >= every);
}

function tick(one, index, named) {
  const mark = el("li", { class: one.predicted ? "tick predicted" : "tick" });
  mark.style.left = place(index);
  if (named) {
    const long = shownSteps.length > 1 && new Date(shownSteps.at(-1).date) - new Date(shownSteps[0].date) > 3e10;
    mark.append(el("span", { class: "when", text: (long ? month : shortDay)(one.date) }));
    if (one.offset !== null) mark.append(el("b", { text: offsetText(one.offset) }));
  }
  return mark;
}

function issued({ before, issue }) {
  const line = el("li", { class: "issued" }, el("span", { text: word("issued {date}", { date: shortDay(issue) }) }));
  line.style.left = place(before - 0.5);
  return line;
}

const place = (index) => `${(100 * index) / (shownSteps.length - 1)}%`;

/** J−2, J, J+3: steps of the series from the date of issue. */
export const offsetText = (offset) => `${word("J")}${offset ? `${offset > 0 ? "+" : "−"}${Math.abs(offset)}` : ""}`;

function tell() {
  if (shownSteps.length < 2) return;
  const index = stepAt(shownSteps, view.chosen ? view.date : null);
  if (!view.chosen || view.date < shownSteps[0].date) {
    if (view.date !== shownSteps[index].date) {
      view.go(shownSteps[index].date, { chosen: false }); // comes back here with a date at which there is something
      return;
    }
  }
  const one = shownSteps[index];
  const nature = word(one.predicted ? "predicted" : "observed");
  slider.value = String(index);
  const parts = [day(one.date), one.offset === null ? null : offsetText(one.offset), nature].filter(Boolean);
  slider.setAttribute("aria-valuetext", parts.join(", "));
  fill(
    at("timeline-date"),
    el("strong", { text: parts[0] }),
    one.offset === null ? null : el("b", { class: "offset", title: word("Steps from the date of issue"), text: parts[1] }),
    el("span", { class: one.predicted ? "nature predicted" : "nature", text: nature }),
  );
  const next = shownSteps[(index + 1) % shownSteps.length].date;
  settled().then(() => ahead(next));
}

/** The frame of a layer in words: its date, and whether it was seen or predicted. */
export function frameText(layer) {
  const frame = frameAt(layer, view.date);
  if (!frame) return word("nothing yet at this date");
  if (!frame.date) return "";
  return frame.observed ? day(frame.date) : word("{date}, predicted", { date: day(frame.date) });
}
