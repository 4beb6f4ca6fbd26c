/** The panel at the side: folded away on a wide window, a sheet at the foot of a narrow one. */

import { at } from "./elements.js";
import { map, narrow } from "./map.js";
import { word } from "./words.js";

/** Binds its handle; on a narrow window it begins folded. */
export function begin() {
  const handle = at("panel-handle");
  const fold = (folded) => {
    document.body.classList.toggle("folded", folded);
    at("panel-body").inert = folded;
    handle.setAttribute("aria-expanded", String(!folded));
    handle.setAttribute("aria-label", word(folded ? "Show the layers" : "Hide the layers"));
    map.invalidateSize();
  };
  handle.addEventListener("click", () => fold(!document.body.classList.contains("folded")));
  narrow.addEventListener("change", () => fold(narrow.matches));
  fold(narrow.matches);
}
