/** Keys of the map: they act only while the map itself has the focus, so that nothing happens by accident. */

import { at } from "./elements.js";
import { map } from "./map.js";
import { step, toggle } from "./timeline.js";

const KEYS = {
  p: toggle,
  "[": () => step(-1),
  "]": () => step(1),
  s: () => at("tool-swipe").click(),
  d: () => at("tool-draw").click(),
  "/": () => at("search-text").focus(),
  "?": () => at("help").togglePopover(),
};

/** Binds them. */
export function begin() {
  const room = map.getContainer();
  const pointing = (byKeyboard) => room.classList.toggle("by-keyboard", byKeyboard);
  room.addEventListener("pointerdown", () => pointing(false), { capture: true });
  room.addEventListener("blur", () => pointing(false));
  room.addEventListener("keydown", (event) => {
    if (event.target === room) pointing(true);
    if (event.target !== room || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
