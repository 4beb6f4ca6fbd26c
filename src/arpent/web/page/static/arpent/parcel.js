/** A shape's card: what is said of it in both languages, and the measured numbers behind each sentence. */

import { Failure, get } from "./api.js";
import { openCard } from "./card.js";
import { el } from "./elements.js";
import { failure } from "./failures.js";
import { boundsOf, fit, map } from "./map.js";
import { plain, properties } from "./properties.js";
import { resultList } from "./results.js";
import { mark } from "./stack.js";
import { view } from "./view.js";
import { LANG, told, word } from "./words.js";

const NAMES = { en: "English", fr: "Français" };
const LIKE = 10;

/** Opens the card of a feature; `go` also brings it into view. */
export async function openFeature(id, layerId, { go = false } = {}) {
  const layer = view.layers.get(layerId);
  const title = layer ? told(layer.title) : word("Shape");
  const show = (name, children) => {
    const isThere = openCard(name, children, () => mark(null, null));
    mark(layerId, id);
    return isThere;
  };
  const waits = show(title, [el("p", { class: "quiet", text: word("Loading …") })]);
  try {
    const feature = await get(`/api/features/${id}`);
    if (!waits()) return;
    if (go && feature.bounds) arrive(feature.bounds);
    show(told(feature.title) || title, contents(feature, layer));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (waits()) show(title, [failure(error)]);
  }
}

function arrive(bounds) {
  const target = boundsOf(bounds);
  if (!map.getBounds().contains(target) || map.getBoundsZoom(target) > map.getZoom() + 3) fit(bounds);
}

function contents(feature, layer) {
  const languages = LANG === "fr" ? ["fr", "en"] : ["en", "fr"];
  const texts = languages.filter((language) => feature.texts?.[language]?.length);
  return [
    layer ? el("p", { class: "quiet", text: layer.run.name }) : null,
    texts.map((language, index) => description(feature.texts[language], language, index > 0)),
    texts.length ? el("p", { class: "quiet hint", text: word("Click a sentence to see what was measured.") }) : null,
    properties(feature.properties ?? {}, told(feature.title), texts.length > 0),
    texts.length ? likeThis(feature) : null,
  ].filter(Boolean);
}

function description(sentences, language, other) {
  return el(
    "section",
    { class: other ? "told other" : "told", lang: language },
    el("h3", { class: "quiet", text: NAMES[language] }),
    sentences.map((sentence) => sentenceOf(sentence)),
  );
}

function sentenceOf({ text, measured: values }) {
  const entries = Object.entries(values ?? {});
  if (!entries.length) return el("p", { class: "sentence", text });
  const rows = entries.map(([name, value]) => el("tr", {}, el("th", { scope: "row", text: name }), el("td", { text: plain(value) })));
  return el("details", { class: "sentence" }, el("summary", { text }), el("table", { class: "values" }, el("tbody", {}, rows)));
}

function likeThis({ id }) {
  const place = el("div", { class: "like" });
  const button = el("button", { type: "button", class: "wide", text: word("More like this one") });
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const found = await get(`/api/features/${id}/like?n=${LIKE}&lang=${LANG}`);
      place.replaceChildren(resultList(found, (result) => openFeature(result.feature, result.layer, { go: true }), { alike: true }));
      place.querySelector("button")?.focus();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      place.replaceChildren(button, failure(error));
      button.disabled = false;
    }
  });
  place.append(button);
  return place;
}
