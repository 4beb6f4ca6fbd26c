/**
 * How a failure is told. The server's own line is English; a reader of French reads what such a line means, and finds
 * the line beneath it.
 */

import { Refused } from "./api.js";
import { el } from "./elements.js";
import { LANG, word } from "./words.js";

/** The failure as plain text, for those who listen. */
export const failureText = (error) => meaning(error) ?? line(error);

/** The failure as a warning; `attributes` are those of its paragraph. */
export function failure(error, attributes = {}) {
  const general = meaning(error);
  const detail = general ? el("small", { class: "detail", lang: "en", text: line(error) }) : null;
  return el("p", { class: "warning", ...attributes }, general ?? line(error), detail);
}

const meaning = (error) => (LANG !== "en" && error.means?.[LANG] ? `${error.means[LANG]}.` : null);

function line(error) {
  if (!(error instanceof Refused)) return word("The server does not answer.");
  return [error.message, error.cure].filter(Boolean).join(" — ");
}
