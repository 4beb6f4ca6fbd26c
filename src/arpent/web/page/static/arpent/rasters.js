/**
 * A raster layer on the map. A new date is loaded behind the old one and takes its place when all of it is there, so
 * that nothing flickers; the date after it is loaded ahead.
 */

import { fault } from "./api.js";
import { map } from "./map.js";

const L = window.L;

export class RasterLayer {
  #layer;
  #pane;
  #current = null;
  #next = null;
  #ahead = null;
  #faults = new Set();

  /** `complain(error)` is told why tiles are missing, once per picture; null when they come again. */
  constructor(layer, pane, complain = () => {}) {
    this.#layer = layer;
    this.#pane = pane;
    this.complain = complain;
  }

  /** Shows that frame; settles when its tiles are there. */
  show(frame, band = 1) {
    const key = frame ? `${frame.id}.${band}.${frame.etag ?? ""}` : null;
    if (key === (this.#next ?? this.#current)?.key) return this.#next?.ready ?? Promise.resolve();
    this.#discard("next");
    if (!key) return this.#clear();
    if (this.#current?.key === key) return Promise.resolve();
    const picture = this.#ahead?.key === key ? this.#ahead : this.#load(frame, band, key);
    if (picture === this.#ahead) this.#ahead = null;
    this.#next = picture;
    picture.ready = picture.loaded.then(() => this.#swap(picture));
    return picture.ready;
  }

  /** Loads that frame out of sight. */
  preload(frame, band = 1) {
    const key = frame ? `${frame.id}.${band}.${frame.etag ?? ""}` : null;
    if ([this.#current?.key, this.#next?.key, this.#ahead?.key].includes(key)) return;
    this.#discard("ahead");
    if (key) this.#ahead = this.#load(frame, band, key);
  }

  /** Asks for tiles that were missing once more. */
  again() {
    this.#faults.clear();
    this.#current?.tiles.redraw();
  }

  remove() {
    this.#discard("next");
    this.#discard("ahead");
    this.#clear();
  }

  #load(frame, band, key) {
    const query = new URLSearchParams(frame.etag ? { v: frame.etag } : {});
    if (band > 1) query.set("band", band);
    const [west, south, east, north] = this.#layer.bounds;
    const tiles = L.tileLayer(`/tiles/${this.#layer.id}/${frame.id}/{z}/{x}/{y}{r}.png?${query}`, {
      pane: this.#pane,
      // Leaflet brings each tile to -180° … 180° before it compares; no box across the antimeridian would hold it.
      bounds: west <= east ? L.latLngBounds([south, west], [north, east]) : undefined,
      maxNativeZoom: Math.max(this.#layer.maxzoom ?? 18, 1),
      maxZoom: 22,
      r: L.Browser.retina ? "@2x" : "",
      opacity: 0,
      className: "raster",
    });
    tiles.on("tileerror", ({ tile }) => this.#missing(key, tile.src));
    const picture = { key, tiles };
    picture.loaded = new Promise((settle) => {
      tiles.once("load", settle);
      tiles.addTo(map);
      if (!tiles.isLoading()) settle(); // nothing of it is in view
    });
    return picture;
  }

  #swap(picture) {
    if (this.#next !== picture) return; // another date was asked for meanwhile
    picture.tiles.setOpacity(1);
    this.#current?.tiles.remove();
    this.#current = picture;
    this.#next = null;
  }

  #discard(slot) {
    const picture = slot === "next" ? this.#next : this.#ahead;
    picture?.tiles.remove();
    if (slot === "next") this.#next = null;
    else this.#ahead = null;
  }

  #clear() {
    this.#current?.tiles.remove();
    this.#current = null;
    return Promise.resolve();
  }

  async #missing(key, address) {
    if (this.#faults.has(key)) return;
    this.#faults.add(key);
    const error = await fault(address);
    if (error) this.complain(error);
    else this.#faults.delete(key);
  }
}
