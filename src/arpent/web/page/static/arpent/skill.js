/** What a forecast is based on, and how good it is beside "nothing changes". */

import { el, svg } from "./elements.js";
import { dated } from "./frames.js";
import { offsetText } from "./timeline.js";
import { view } from "./view.js";
import { day, days, number, told, word } from "./words.js";

/** The forecast's own panel for a layer with an issue date, or null. */
export function skill(layer) {
  if (!layer.issue) return null;
  const based = told(layer.skill?.based_on);
  const valid = dated(layer).filter((frame) => !frame.observed);
  const now = valid.find((frame) => frame.date === view.date);
  const facts = [
    [word("Based on"), based],
    [word("Issued"), day(layer.issue)],
    [word("Valid"), now ? day(now.date) : valid.length ? days(valid[0].date, valid.at(-1).date) : ""],
  ].filter(([, text]) => text);
  const list = el("dl", { class: "facts" }, facts.flatMap(([term, text]) => [el("dt", { text: term }), el("dd", { text })]));
  return el("div", { class: "skill" }, list, layer.skill ? scores(layer.skill.iou, now) : null);
}

function scores(rows, now) {
  if (!rows?.length) return el("p", { class: "quiet", text: word("Not judged yet: no truth was given for these dates.") });
  const head = [word("Step"), word("Forecast"), word("Persistence")].map((text) => el("th", { scope: "col", text }));
  const body = rows.map((row) =>
    el(
      "tr",
      { class: row.horizon === now?.horizon ? "now" : null },
      el("th", { scope: "row", text: offsetText(row.horizon) }),
      el("td", { text: score(row.model) }),
      el("td", { text: score(row.persistence) }),
      el("td", {}, bars(row)),
    ),
  );
  const caption = el("caption", { text: word("Overlap with the truth (IoU), beside “nothing changes”") });
  return el("table", { class: "scores" }, caption, el("thead", {}, el("tr", {}, head, el("td"))), el("tbody", {}, body));
}

const score = (value) => (Number.isFinite(value) ? number(value, 3, 3) : "–");

function bars({ model, persistence }) {
  const bar = (value, y, kind) => svg("rect", { x: 0, y, width: 60 * Math.max(0, value ?? 0), height: 4, rx: 1, class: kind });
  return svg("svg", { class: "pair", viewBox: "0 0 60 11", "aria-hidden": "true" }, bar(model, 0, "model"), bar(persistence, 6, "persistence"));
}
