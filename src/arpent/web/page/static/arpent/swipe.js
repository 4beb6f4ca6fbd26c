/** Before and after: a divider over the map, with the uppermost layer on its right only. */

import { at, el, fill } from "./elements.js";
import { dated, frameAt, moves } from "./frames.js";
import { map, paneOf } from "./map.js";
import { RasterLayer } from "./rasters.js";
import { paneName } from "./stack.js";
import { view } from "./view.js";
import { day, number, told, word } from "./words.js";

const BEFORE = "before";
const KEY_STEP = 5;

const divider = at("divider");
let before = null;
let clipped = new Set();

/** Binds the tool, its divider and its choice of what is on the left. */
export function begin() {
  at("tool-swipe").addEventListener("click", () => view.divide(view.swipe ? null : { at: 50, before: null }));
  view.on("swipe shown date", lay);
  map.on("move zoomend resize", clip);
  divider.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -KEY_STEP, ArrowRight: KEY_STEP, Home: -100, End: 100 }[event.key];
    if (!by) return;
    event.preventDefault();
    to(view.swipe.at + by);
  });
  divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const frame = map.getContainer().getBoundingClientRect();
    to((100 * (event.clientX - frame.left)) / frame.width);
  });
  at("swipe-left").addEventListener("change", (event) => view.divide({ ...view.swipe, before: event.target.value || null }));
}

function to(percent) {
  view.divide({ ...view.swipe, at: Math.min(100, Math.max(0, percent)) });
}

/** The layer that is divided: the uppermost raster, or what is uppermost where there is none. */
const divided = () => view.visible.find((layer) => layer.source !== "vector") ?? view.visible[0];

function lay() {
  const top = divided();
  const on = Boolean(view.swipe && top);
  at("tool-swipe").setAttribute("aria-pressed", String(on));
  at("tool-swipe").disabled = !top;
  divider.hidden = !on;
  at("swipe-bar").hidden = !on;
  if (on) {
    choices(top);
    place();
  }
  layBefore(on ? top : null);
  clip();
}

/** What may stand on the left: what lies beneath, or another date of the same layer. */
function choices(top) {
  const frames = moves(top) && top.source !== "vector" ? dated(top) : [];
  const options = [el("option", { value: "", text: word("What lies beneath") }), ...frames.map((frame) => el("option", { value: frame.date, text: day(frame.date), selected: frame.date === view.swipe.before }))];
  fill(at("swipe-left"), options);
  const now = frameAt(top, view.date);
  at("swipe-right").textContent = [told(top.title), now?.date ? day(now.date) : ""].filter(Boolean).join(", ");
}

function place() {
  divider.style.left = `${view.swipe.at}%`;
  divider.setAttribute("aria-valuenow", String(Math.round(view.swipe.at)));
  divider.setAttribute("aria-valuetext", `${number(view.swipe.at)}\u202f%`);
}

function layBefore(top) {
  const wanted = top && view.swipe.before ? top : null;
  if (before && before.layer !== wanted) {
    before.picture.remove();
    before = null;
  }
  if (!wanted) return;
  const shown = view.shown.find(({ id }) => id === wanted.id);
  const pane = paneOf(BEFORE, Number(map.getPane(paneName(wanted.id)).style.zIndex));
  pane.style.opacity = String(shown.opacity);
  before ??= { layer: wanted, picture: new RasterLayer(wanted, BEFORE) };
  before.picture.show(frameAt(wanted, view.swipe.before), shown.band);
}

function clip() {
  const wanted = new Map();
  const top = divided();
  if (view.swipe && top) {
    const size = map.getSize();
    const x = (size.x * view.swipe.at) / 100;
    const [low, high] = [map.containerPointToLayerPoint([0, 0]), map.containerPointToLayerPoint(size)];
    const edge = map.containerPointToLayerPoint([x, 0]).x;
    wanted.set(paneName(top.id), box(edge, low.y, high.x, high.y));
    wanted.set(BEFORE, box(low.x, low.y, edge, high.y));
  }
  for (const name of new Set([...clipped, ...wanted.keys()])) {
    const pane = map.getPane(name);
    if (pane) pane.style.clipPath = wanted.get(name) ?? "";
  }
  clipped = new Set(wanted.keys());
}

const box = (left, top, right, bottom) => `polygon(${left}px ${top}px, ${right}px ${top}px, ${right}px ${bottom}px, ${left}px ${bottom}px)`;
