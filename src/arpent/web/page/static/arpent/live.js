/** The page stays in step with its server: a run that is registered appears, one that is removed goes. */

import { Failure, Refused, get, health } from "./api.js";
import { failureText } from "./failures.js";
import { say } from "./notices.js";
import { again } from "./stack.js";
import { view } from "./view.js";
import { word, words } from "./words.js";

const EVERY = 3000; // milliseconds

let version = null;

/** Loads the server's list for the first time, then watches it. */
export async function begin() {
  await load();
  setInterval(watch, EVERY);
  health.addEventListener("found", () => {
    version = null;
    again();
  });
}

async function watch() {
  if (document.hidden) return;
  try {
    const state = await get("/api/state");
    if (state.version !== version) await load();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}

async function load() {
  try {
    const answer = await get("/api/layers");
    const known = new Set(view.runs.map(({ id }) => id));
    const first = version === null && !known.size;
    version = answer.version;
    view.learn(answer.runs);
    if (!first) announce(answer.runs.filter(({ id }) => !known.has(id)));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error instanceof Refused) say(failureText(error));
  }
}

function announce(fresh) {
  if (fresh.length === 1) say(word("New: {run}", { run: fresh[0].name }));
  else if (fresh.length) say(words("{n} new run", "{n} new runs", fresh.length));
}
