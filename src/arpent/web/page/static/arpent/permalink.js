/**
 * The view as an address: `#zoom/lat/lon/date/layers/opacity/lang`, and an eighth part while the map is divided.
 *
 * Layers stand with the uppermost first, `7` or `7.12` for the twelfth band; opacities in per cent, in the same order;
 * a date that nobody chose is `-`. The eighth part is `s50` or, with a date on the left, `s50_2024-05-12`.
 */

const NONE = "-";

/** The address of a view: `{zoom, lat, lon, date, layers: [{id, band, opacity}], lang, swipe}`. */
export function written({ zoom, lat, lon, date, layers, lang, swipe }) {
  const ids = layers.map(({ id, band }) => (band > 1 ? `${id}.${band}` : `${id}`)).join(",");
  const opacities = layers.map(({ opacity }) => Math.round(opacity * 100)).join(",");
  const divided = swipe ? [`s${Math.round(swipe.at)}${swipe.before ? `_${encodeURIComponent(swipe.before)}` : ""}`] : [];
  const parts = [zoom.toFixed(2), lat.toFixed(6), lon.toFixed(6), date ? encodeURIComponent(date) : NONE, ids || NONE, opacities || NONE, lang];
  return `#${[...parts, ...divided].join("/")}`;
}

/** The view of an address; null where it is none. */
export function read(hash) {
  const parts = hash.replace(/^#/, "").split("/");
  const [zoom, lat, lon] = parts.slice(0, 3).map(Number);
  if (parts.length < 7 || ![zoom, lat, lon].every(Number.isFinite) || Math.abs(lat) > 90) return null;
  const opacities = listed(parts[5]).map(Number);
  const layers = listed(parts[4]).map((entry, index) => {
    const [id, band = 1] = entry.split(".").map(Number);
    const opacity = opacities[index] ?? 100;
    return { id, band, opacity: Math.min(1, Math.max(0, Number.isFinite(opacity) ? opacity / 100 : 1)) };
  });
  return {
    zoom: Math.min(22, Math.max(0, zoom)),
    lat,
    lon,
    date: parts[3] === NONE ? null : decoded(parts[3]),
    layers: layers.filter(({ id, band }) => Number.isInteger(id) && Number.isInteger(band)),
    lang: parts[6] === "fr" ? "fr" : "en",
    swipe: divided(parts[7]),
  };
}

function listed(part) {
  return part === NONE ? [] : part.split(",");
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return null; // a broken escape: nobody's date
  }
}

function divided(part) {
  const found = /^s(\d{1,3})(?:_(.+))?$/.exec(part ?? "");
  return found ? { at: Math.min(100, Number(found[1])), before: found[2] ? decoded(found[2]) : null } : null;
}
