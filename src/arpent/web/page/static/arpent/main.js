/** The page begins here: each part is told of the others, the server is asked, and the address says what to show. */

import * as areas from "./areas.js";
import * as basemap from "./basemap.js";
import * as card from "./card.js";
import * as click from "./click.js";
import * as downloads from "./downloads.js";
import * as draw from "./draw.js";
import { at } from "./elements.js";
import * as keys from "./keys.js";
import * as layers from "./layers.js";
import * as live from "./live.js";
import { fit, map, turned } from "./map.js";
import * as notices from "./notices.js";
import * as panel from "./panel.js";
import { read, written } from "./permalink.js";
import * as search from "./search.js";
import * as stack from "./stack.js";
import * as swipe from "./swipe.js";
import * as theme from "./theme.js";
import * as timeline from "./timeline.js";
import { view } from "./view.js";
import { LANG, speak } from "./words.js";

let own = null; // the address that this page wrote itself

function showAddress() {
  if (!map._loaded) return;
  const { lat, lng } = map.getCenter();
  own = written({ zoom: map.getZoom(), lat, lon: turned(lng), date: view.date, layers: view.shown, lang: LANG, swipe: view.swipe });
  if (own !== location.hash) history.replaceState(null, "", own);
}

/** Shows what the address says; false where it says nothing. */
function follow() {
  const asked = read(location.hash);
  if (!asked) return false;
  if (asked.lang !== LANG && navigator.cookieEnabled && sessionStorage.getItem("arpent-asked") !== location.hash) {
    sessionStorage.setItem("arpent-asked", location.hash); // once: a server without that language must not loop
    speak(asked.lang);
    return true;
  }
  map.setView([asked.lat, asked.lon], asked.zoom, { animate: false });
  view.restore(asked);
  return true;
}

function bindAddress() {
  map.on("moveend", showAddress);
  view.on("shown date swipe", showAddress);
  window.addEventListener("hashchange", () => location.hash !== own && follow());
  for (const language of ["en", "fr"]) {
    at(`language-${language}`).addEventListener("click", () => {
      if (language === LANG) return;
      history.replaceState(null, "", location.hash.replace(`/${LANG}`, `/${language}`));
      speak(language);
    });
  }
}

/** The first runs of a page that was empty are shown as if it had just been opened. */
function openFirst() {
  if (view.shown.length || !view.runs.length) return;
  view.removeEventListener("runs", openFirst);
  const first = view.open();
  if (first) fit(first.bounds);
}

async function begin() {
  map.setView([46.6, 2.4], 4, { animate: false });
  for (const part of [notices, stack, timeline, layers, swipe, downloads, search, card, panel, keys]) part.begin();
  draw.begin(areas.measure);
  click.begin(draw.drawing);
  map.getContainer().append(draw.crosshair());
  const background = basemap.begin();
  theme.begin(basemap.recolour);
  await live.begin();
  if (!follow()) {
    openFirst();
    if (!view.runs.length) view.addEventListener("runs", openFirst);
  }
  bindAddress();
  areas.resume();
  showAddress();
  await background;
  document.body.classList.add("ready");
}

begin();
