/** A layer of shapes: asks for those in view, page by page, and draws them in the colours of its legend. */

import { Gone, Refused, get } from "./api.js";
import { map, seen, turnOf } from "./map.js";
import { number, word } from "./words.js";

const L = window.L;
const PAGE = 2000;
const MOST = 6000; // shapes on the map at once: more is neither seen nor drawn quickly
const OTHER = "#e69f00"; // seen on dark woods and on pale fields

export class VectorLayer {
  #layer;
  #frame = null;
  #shapes;
  #asked = null;
  #features = new Map();
  #marked = null;

  /** `complain(text or error)` is told what is not shown; null when all of it is. */
  constructor(layer, pane, complain = () => {}) {
    this.#layer = layer;
    this.complain = complain;
    const renderer = L.svg({ pane, padding: 0.3 });
    this.#shapes = L.geoJSON(null, {
      renderer,
      pane,
      coordsToLatLng: ([lon, lat]) => L.latLng(lat, this.#beside(lon)),
      style: (feature) => this.#style(feature),
      pointToLayer: (feature, place) => L.circleMarker(place, { renderer, pane, radius: 6, ...this.#style(feature) }),
      onEachFeature: (feature, shape) => shape.on("add", () => this.#mark(feature, shape)),
    }).addTo(map);
    this.again = () => this.#load();
    map.on("moveend", this.again);
  }

  /** Shows the shapes of that frame; settles when they are there. */
  show(frame) {
    if (frame?.id === this.#frame?.id && this.#asked) return Promise.resolve();
    this.#frame = frame;
    return this.#load();
  }

  preload() {}

  /** The feature that an element on the page draws, or null. */
  featureOf(element) {
    const id = element.dataset?.feature;
    return element.dataset?.layer === String(this.#layer.id) ? (this.#features.get(id) ?? null) : null;
  }

  /** Puts a frame around one shape, and around no other. */
  mark(id) {
    this.#marked = String(id);
    this.#shapes.eachLayer((shape) => this.#frameOf(shape));
  }

  remove() {
    this.#asked?.abort();
    map.off("moveend", this.again);
    this.#shapes.remove();
  }

  async #load() {
    this.#asked?.abort();
    if (!this.#frame) {
      this.#draw([]);
      return;
    }
    const { signal } = (this.#asked = new AbortController());
    try {
      const { features, whole } = await this.#pages(signal);
      this.#draw(features);
      this.complain(whole ? null : word("The first {n} shapes only: zoom in to see all.", { n: number(features.length) }));
    } catch (error) {
      if (error instanceof Refused) this.complain(error);
      else if (!(error instanceof Gone) && error.name !== "AbortError") throw error;
    }
  }

  async #pages(signal) {
    const features = [];
    let after = null;
    do {
      const query = new URLSearchParams({ bbox: seen().map((degree) => degree.toFixed(6)).join(","), frame: this.#frame.id, limit: PAGE });
      if (after !== null) query.set("after", after);
      const page = await get(`/api/layers/${this.#layer.id}/features?${query}`, { signal });
      features.push(...page.features);
      after = page.next ?? null;
    } while (after !== null && features.length < MOST);
    return { features, whole: after === null };
  }

  #draw(features) {
    this.#features = new Map(features.map((feature) => [String(feature.id), feature]));
    this.#shapes.clearLayers();
    this.#shapes.addData({ type: "FeatureCollection", features });
  }

  /** The longitude in one row with those of the whole layer, and nearest to what is looked at. */
  #beside(lon) {
    const [west, , east] = this.#layer.bounds;
    const far = east < west;
    return (far && lon < west ? lon + 360 : lon) + turnOf((west + east + (far ? 360 : 0)) / 2);
  }

  #mark(feature, shape) {
    const element = shape.getElement?.();
    if (!element) return;
    element.dataset.layer = String(this.#layer.id);
    element.dataset.feature = String(feature.id);
    this.#frameOf(shape);
  }

  #frameOf(shape) {
    shape.getElement?.()?.classList.toggle("marked", String(shape.feature.id) === this.#marked);
  }

  #style({ properties }) {
    const meant = properties.colour ?? this.#legendColour(properties.value);
    const colour = meant ?? OTHER;
    return { color: colour, weight: meant ? 1.5 : 1.8, fillColor: colour, fillOpacity: meant ? 0.45 : 0.08 };
  }

  #legendColour(value) {
    const { entries = [], ramp, low, high } = this.#layer.legend ?? {};
    const entry = entries.find((one) => one.value === value);
    if (entry || !ramp?.length || !Number.isFinite(value)) return entry?.colour;
    const place = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    return ramp[Math.round(place * (ramp.length - 1))];
  }
}
