/** What the page tells its reader besides the map: a line for those who listen, a banner for what is wrong. */

import { health } from "./api.js";
import { at, fill } from "./elements.js";
import { word } from "./words.js";

let gone = null;

/** Says a line: heard by screen readers and, unless it stands elsewhere already, seen for a few seconds. */
export function say(text, { seen = true } = {}) {
  const line = at("status");
  fill(line, text);
  line.classList.toggle("seen", seen);
  clearTimeout(gone);
  gone = setTimeout(() => line.classList.remove("seen"), 4000);
}

/** Shows the banner while the server does not answer. */
export function begin() {
  const banner = at("banner");
  health.addEventListener("lost", () => {
    fill(banner, word("The server does not answer. The map stays as it is and comes back by itself."));
    banner.hidden = false;
  });
  health.addEventListener("found", () => {
    banner.hidden = true;
    say(word("The server answers again."));
  });
}
