/** Hands a file to the browser. */

import { el } from "./elements.js";

/** Saves these bytes under that name. */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
