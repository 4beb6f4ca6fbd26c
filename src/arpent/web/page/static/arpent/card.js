/** The card at the right: a parcel, or the areas of what was drawn. One at a time. */

import { at, fill } from "./elements.js";

let leave = null;
let came = null;
let current = null;

/** Opens the card with a title and these children; `closed` is called when it goes. Tells whether it is still there. */
export function openCard(title, children, closed = null) {
  const own = (current = {});
  leave?.();
  leave = closed;
  if (at("card").hidden) came = document.activeElement;
  at("card-title").textContent = title;
  fill(at("card-body"), children);
  at("card").hidden = false;
  document.body.classList.add("carded");
  return () => own === current;
}

/** Closes it and gives the focus back to where it was. */
export function closeCard() {
  if (at("card").hidden) return;
  at("card").hidden = true;
  document.body.classList.remove("carded");
  const closed = leave;
  leave = current = null;
  closed?.();
  (came?.isConnected ? came : at("map")).focus();
}

/** Binds its button and Escape. */
export function begin() {
  at("card-close").addEventListener("click", closeCard);
  document.addEventListener("keydown", (event) => {
    const elsewhere = document.querySelector(":popover-open") || at("map").contains(event.target);
    if (event.key === "Escape" && !elsewhere) closeCard();
  });
}
