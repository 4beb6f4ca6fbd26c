/** The search box: narrows runs and layers by name at once, and asks the server for shapes whose text matches. */

import { Gone, Refused, get } from "./api.js";
import { at, el, fill } from "./elements.js";
import { failure } from "./failures.js";
import { narrow } from "./layers.js";
import { openFeature } from "./parcel.js";
import { resultList } from "./results.js";
import { LANG, word } from "./words.js";

const PAUSE = 300; // milliseconds without a key before the server is asked
const SHORTEST = 2;

let waiting = null;
let asked = null;

/** Binds the box. */
export function begin() {
  const box = at("search-text");
  box.addEventListener("input", () => {
    narrow({ text: box.value });
    clearTimeout(waiting);
    waiting = setTimeout(() => find(box.value.trim()), PAUSE);
  });
  at("search").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    find(box.value.trim());
  });
}

async function find(text) {
  asked?.abort();
  const place = at("found");
  place.hidden = text.length < SHORTEST;
  if (place.hidden) return fill(place);
  const { signal } = (asked = new AbortController());
  try {
    const results = await get(`/api/search?${new URLSearchParams({ q: text, lang: LANG })}`, { signal });
    const list = resultList(results, (result) => openFeature(result.feature, result.layer, { go: true }));
    return fill(place, el("h2", { text: word("Described places") }), list);
  } catch (error) {
    if (error instanceof Refused) return fill(place, failure(error));
    if (!(error instanceof Gone) && error.name !== "AbortError") throw error;
    return null;
  }
}
