/** A small chart of the values of one layer at one place: a line for numbers, a strip for classes. */

import { el, svg } from "./elements.js";
import { swatch } from "./legend.js";
import { day, measured, month, shortDay, told, word } from "./words.js";

const [WIDE, TALL] = [252, 84];
export const MOST_NUMBERS = 4; // bands whose values are written side by side
const EDGE = { left: 40, right: 8, top: 8, bottom: 16 };
const STRIP = { left: 14, right: 14, tall: 52 };

/**
 * The chart of `values` (`{date, value, label, colour, observed}`), `now` marked; null where there is no series.
 * `unit` is a text.
 */
export function chart(values, { now, unit, classes }) {
  const series = values.filter((one) => one.date).sort((one, other) => (one.date < other.date ? -1 : 1));
  if (series.length < 2) return null;
  return el("figure", { class: "chart" }, classes ? strip(series, now) : line(series, now, unit), table(series, unit));
}

/** A value in words; `names` are those of its `numbers`, band by band. */
export function valueText({ value, label, numbers, names = [] }, unit) {
  const text = told(label);
  if (text) return text;
  if (numbers?.length > 1 && numbers.length <= MOST_NUMBERS) return numbers.map((one, index) => [names[index], measured(one)].filter(Boolean).join("\u00a0")).join(" · ");
  if (value === null || value === undefined) return word("no data");
  return typeof value === "number" ? [measured(value), unit].filter(Boolean).join("\u202f") : String(value);
}

function line(series, now, unit) {
  const numbers = series.filter((one) => Number.isFinite(one.value));
  if (!numbers.length) return el("p", { class: "quiet", text: word("no data") });
  const [low, high] = span(numbers.map((one) => one.value));
  const x = along(series);
  const y = (value) => TALL - EDGE.bottom - ((value - low) / (high - low)) * (TALL - EDGE.top - EDGE.bottom);
  const path = (ones) => ones.map((one, index) => `${index ? "L" : "M"}${x(one.date).toFixed(1)} ${y(one.value).toFixed(1)}`).join("");
  const firstPredicted = numbers.findIndex((one) => one.observed === false);
  const seen = firstPredicted < 0 ? numbers : numbers.slice(0, firstPredicted);
  const expected = firstPredicted < 0 ? [] : numbers.slice(Math.max(0, firstPredicted - 1));
  const rule = (value) => [
    svg("line", { class: "rule", x1: EDGE.left, x2: WIDE - EDGE.right, y1: y(value), y2: y(value) }),
    svg("text", { x: EDGE.left - 4, y: y(value) + 3, "text-anchor": "end" }, measured(value)),
  ];
  return drawing(
    word("{n} values from {low} to {high}", { n: numbers.length, low: measured(Math.min(...numbers.map((one) => one.value))), high: [measured(Math.max(...numbers.map((one) => one.value))), unit].filter(Boolean).join(" ") }),
    TALL,
    rule(low),
    rule(high),
    moment(x, now, series, TALL),
    svg("path", { class: "line", d: path(seen) }),
    svg("path", { class: "line predicted", d: path(expected) }),
    numbers.map((one) => svg("circle", { class: one.observed === false ? "dot predicted" : "dot", cx: x(one.date), cy: y(one.value), r: numbers.length > 40 ? 1.4 : 2.4 })),
    ends(series, EDGE, TALL),
  );
}

function strip(series, now) {
  const x = along(series, STRIP);
  const step = (WIDE - STRIP.left - STRIP.right) / Math.max(1, series.length - 1);
  const width = Math.max(2, Math.min(20, step - 2));
  const cells = series.map((one) => {
    const cell = svg("rect", { class: one.observed === false ? "cell predicted" : "cell", x: x(one.date) - width / 2, y: 8, width, height: 24, rx: 2, fill: one.colour ?? "#9aa8b0" });
    cell.append(svg("title", {}, `${day(one.date)}: ${valueText(one)}`));
    return cell;
  });
  return drawing(word("{n} dates", { n: series.length }), STRIP.tall, cells, moment(x, now, series, STRIP.tall), ends(series, STRIP, STRIP.tall));
}

function drawing(label, tall, ...parts) {
  return svg("svg", { viewBox: `0 0 ${WIDE} ${tall}`, role: "img", "aria-label": label }, parts.flat());
}

function along(series, { left, right } = EDGE) {
  const times = series.map((one) => Date.parse(one.date));
  const [first, last] = [times[0], times.at(-1)];
  return (date) => left + ((Date.parse(date) - first) / (last - first || 1)) * (WIDE - left - right);
}

function span(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = high > low ? 0 : Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

function moment(x, now, series, tall) {
  if (!now || now < series[0].date || now > series.at(-1).date) return [];
  return [svg("line", { class: "now", x1: x(now), x2: x(now), y1: EDGE.top - 5, y2: tall - EDGE.bottom + 2 })];
}

function ends(series, { left, right }, tall) {
  const years = series[0].date.slice(0, 4) !== series.at(-1).date.slice(0, 4);
  const written = years ? month : shortDay;
  return [
    svg("text", { x: left, y: tall - 3 }, written(series[0].date)),
    svg("text", { x: WIDE - right, y: tall - 3, "text-anchor": "end" }, written(series.at(-1).date)),
  ];
}

/** The same values to read: for those who cannot see the drawing, and for those who want the number. */
function table(series, unit) {
  const rows = series.map((one) => el("tr", {}, el("th", { scope: "row", text: day(one.date) }), el("td", {}, one.colour ? swatch(one.colour) : null, valueText(one, unit))));
  return el("details", {}, el("summary", { text: word("All values") }), el("table", { class: "values" }, el("tbody", {}, rows)));
}
