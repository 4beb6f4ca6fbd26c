"use strict";
(() => {
  const tools = document.querySelector(".tools");
  const main = document.querySelector("main");
  const cards = [...main.querySelectorAll("article")];
  if (cards.length < 2) return;
  tools.hidden = false;
  const [field, order, told] = [tools.querySelector("input"), tools.querySelector("select"), tools.querySelector("output")];
  const fold = (text) => text.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase();
  const texts = new Map(cards.map((card) => [card, null]));
  const textOf = (card) => texts.get(card) ?? texts.set(card, fold(card.querySelector(".told").textContent)).get(card);
  const show = () => {
    const sought = fold(field.value.trim());
    let count = 0;
    for (const card of cards) {
      card.hidden = sought !== "" && !textOf(card).includes(sought);
      count += card.hidden ? 0 : 1;
    }
    told.textContent = count ? `${count} ${main.dataset.count}` : main.dataset.nothing;
  };
  const value = (card) => (card.dataset.order === undefined ? -Infinity : Number(card.dataset.order));
  const sort = () => {
    const byValue = (one, other) => value(other) - value(one);
    main.append(...(order.value === "order" ? [...cards].sort(byValue) : cards));
  };
  tools.addEventListener("submit", (event) => event.preventDefault());
  field.addEventListener("input", show);
  order.addEventListener("change", sort);
  addEventListener("hashchange", () => {
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    row?.closest("details")?.setAttribute("open", "");
  });
})();
