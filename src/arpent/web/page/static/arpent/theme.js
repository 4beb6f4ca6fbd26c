/** Dark or light: as the system says until the reader says otherwise. */

import { at } from "./elements.js";
import { word } from "./words.js";

const KEPT = "arpent-theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** Binds the button; `changed()` is called after each change. */
export function begin(changed) {
  const root = document.documentElement;
  const kept = localStorage.getItem(KEPT);
  if (kept) root.dataset.theme = kept;
  const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const tell = () => {
    const label = word(isDark() ? "Light colours" : "Dark colours");
    at("tool-theme").setAttribute("aria-label", label);
    at("tool-theme").title = label;
    changed();
  };
  at("tool-theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem(KEPT, root.dataset.theme);
    tell();
  });
  dark.addEventListener("change", tell);
  tell();
}
