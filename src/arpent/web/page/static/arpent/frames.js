/** Which picture of a layer belongs to a date. Pure functions: nothing here draws. */

/** A layer with more than one dated frame moves with the timeline; any other stays as it is. */
export const moves = (layer) => layer.frames.filter((frame) => frame.date).length > 1;

/** Earlier dates first; of one date the shorter forecast. */
const byDate = (one, other) => (one.date < other.date ? -1 : one.date > other.date ? 1 : one.horizon - other.horizon);

/** The layer's dated frames, oldest first. */
export const dated = (layer) => layer.frames.filter((frame) => frame.date).sort(byDate);

/**
 * The frame that holds at `date`: the last one not after it. Null before a series begins, so that nothing is shown as
 * if it had been there; the latest one when no date is asked for.
 */
export function frameAt(layer, date) {
  if (!moves(layer)) return layer.frames[0] ?? null;
  const series = dated(layer);
  if (!date) return series.at(-1);
  return series.findLast((frame) => frame.date <= date) ?? null;
}

/**
 * The timeline of these layers: each date once, with where it stands to the issue date of the first layer that has one.
 *
 * A step is `{date, predicted, offset}`: `offset` counts the steps of the forecast's own series from the date of issue
 * (0), and is null for a date that is none of its own.
 */
export function steps(layers) {
  const moving = layers.filter(moves);
  const offsets = offsetsOf(moving.find((layer) => layer.issue));
  const found = new Map();
  for (const layer of moving) {
    for (const frame of dated(layer)) {
      const before = found.get(frame.date);
      const predicted = !frame.observed && (before?.predicted ?? true);
      found.set(frame.date, { date: frame.date, predicted, offset: offsets.get(frame.date) ?? null });
    }
  }
  return [...found.values()].sort((one, other) => (one.date < other.date ? -1 : 1));
}

function offsetsOf(forecast) {
  if (!forecast) return new Map();
  const series = dated(forecast);
  const observed = series.filter((frame) => frame.observed);
  const past = observed.map((frame, index) => [frame.date, index - observed.length + 1]);
  return new Map([...past, ...series.filter((frame) => !frame.observed).map((frame) => [frame.date, frame.horizon])]);
}

/** Between which steps the border of the issue date runs: how many lie before it, null where there is none. */
export function border(stepsShown, layers) {
  const forecast = layers.find((layer) => layer.issue && moves(layer));
  if (!forecast) return null;
  const before = stepsShown.filter((step) => step.date <= forecast.issue).length;
  return { before, issue: forecast.issue };
}

/** The step that holds at `date`; the last observed one when no date is asked for. */
export function stepAt(stepsShown, date) {
  if (date) return Math.max(0, stepsShown.findLastIndex((step) => step.date <= date));
  const observed = stepsShown.findLastIndex((step) => !step.predicted);
  return observed < 0 ? stepsShown.length - 1 : observed;
}
