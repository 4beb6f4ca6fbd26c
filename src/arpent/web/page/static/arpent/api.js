/** What the page asks of its server, and how it learns that the server is gone. */

/** Tells "lost" when the server stops answering and "found" when it answers again. */
export const health = new EventTarget();

let reachable = true;

/** What was asked for did not come; any other error is a defect of the page. */
export class Failure extends Error {}

/** The server answered, and said no: one line what, one line what to do, and what such lines mean in each language. */
export class Refused extends Failure {
  constructor(status, { error, detail, cure = "", means = null }) {
    super(error ?? detail ?? `HTTP ${status}`);
    this.status = status;
    this.cure = cure;
    this.means = means;
  }
}

/** Nobody answered. */
export class Gone extends Failure {}

/** The JSON at that address. */
export async function get(path, settings = {}) {
  return (await answer(path, settings)).json();
}

/** Posts a value as JSON; returns the answer itself, for tables and for JSON. */
export function post(path, value) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
  return answer(path, { method: "POST", headers, body: JSON.stringify(value) });
}

/** Why that address gave no picture: null where it is only outside of the image. */
export async function fault(address) {
  try {
    await answer(address, {});
    return null;
  } catch (error) {
    return error instanceof Refused ? error : null;
  }
}

async function answer(path, settings) {
  let got;
  try {
    got = await fetch(path, { credentials: "same-origin", ...settings });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    feel(false);
    throw new Gone(path);
  }
  feel(true);
  if (got.ok) return got;
  const said = await got.json().catch(() => ({}));
  throw new Refused(got.status, said);
}

function feel(now) {
  if (now === reachable) return;
  reachable = now;
  health.dispatchEvent(new Event(now ? "found" : "lost"));
}
