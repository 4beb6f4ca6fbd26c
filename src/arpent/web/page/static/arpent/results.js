/** A list of found shapes, each a button that goes there. */

import { el } from "./elements.js";
import { view } from "./view.js";
import { share, told, word } from "./words.js";

/**
 * `found` are `{feature, layer, title, score, snippet}`; `go(result)` is called when one is chosen. Where they are `alike`
 * something their score says how much; that of a search by words is but their order.
 */
export function resultList(found, go, { alike = false } = {}) {
  if (!found.length) return el("p", { class: "quiet", text: word("Nothing found.") });
  return el("ol", { class: "results" }, found.map((result) => el("li", {}, entry(result, go, alike))));
}

function entry(result, go, alike) {
  const layer = view.layers.get(result.layer);
  const choose = () => {
    view.show(result.layer);
    go(result);
  };
  return el(
    "button",
    { type: "button", on: { click: choose } },
    el("span", { class: "name", text: told(result.title) || word("Shape") }),
    alike && result.score >= 0 ? el("small", { class: "score", text: word("{share} alike", { share: share(result.score) }) }) : null,
    result.snippet ? el("span", { class: "snippet", text: told(result.snippet) }) : null,
    layer ? el("small", { class: "quiet", text: layer.run.name }) : null,
  );
}
