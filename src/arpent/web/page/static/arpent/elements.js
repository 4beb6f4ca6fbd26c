/** Elements without markup: whatever comes from the server goes in as text and can never become a tag. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `settings` are attributes, but for `text`, `on` (listeners by event), `data` and `properties`; values
 * that are null, undefined or false are left out, true is an empty attribute.
 */
export function el(name, settings = {}, ...children) {
  return build(document.createElement(name), settings, children);
}

/** The same for drawings. */
export function svg(name, settings = {}, ...children) {
  return build(document.createElementNS(SVG, name), settings, children);
}

/** One of the signs that the page's template holds. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, svg("use", { href: `#icon-${name}` }));
}

/** A button that shows a sign and is called by a word. */
export function tool(sign, label, act, settings = {}) {
  return el("button", { type: "button", class: "tool", title: label, "aria-label": label, on: { click: act }, ...settings }, icon(sign));
}

/** Puts these children in place of those that are there. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** The element of that id, which the template holds. */
export const at = (id) => document.getElementById(id);

function build(element, { text, on = {}, data = {}, properties = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  if (text !== undefined && text !== null) element.textContent = String(text);
  Object.assign(element.dataset, data);
  Object.assign(element, properties);
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
