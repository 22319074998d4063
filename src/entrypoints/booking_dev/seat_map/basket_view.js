/** The picked seats, and the way to some: the part of the panel that is only here, and nobody else's business yet. */

import { byId, el, heading, refill } from "./dom.js";
import { MOST } from "./sale.js";
import { count, money, place } from "./words.js";

/**
 * @typedef {{hold: () => void, drop: (id: string) => void, clear: () => void,
 *   find: (many: number, price: number | null) => void}} BasketTold
 */

let many = 2;
let price = "";

/** Show the basket. `busy` while a hold is on its way. */
export function showBasket(
  /** @type {import("./sale.js").Sale} */ sale,
  /** @type {number[]} */ prices,
  /** @type {BasketTold} */ told,
  busy = false,
) {
  const seats = sale.picked();
  const title = seats.length ? `${count(seats.length, "seat")} picked` : "Pick your seats";
  refill(byId("basket"), heading("basket-head", title), ...(seats.length ? full() : empty()));

  function empty() {
    const hint = `Up to ${MOST} in one booking. Once you hold them, nobody else can have them while you pay.`;
    return [el("p", { class: "hint" }, hint), finder(sale.currency, prices, told)];
  }

  function full() {
    const list = el("ul", { class: "seats-list" }, ...seats.map((seat) => line(seat, sale, told)));
    const total = el("p", { class: "total" }, el("span", {}, "Total"), el("b", {}, money(sale.total(), sale.currency)));
    const label = busy ? "Holding…" : `Hold ${count(seats.length, "seat")}`;
    const hold = el("button", { class: "primary", "data-key": "hold", "aria-disabled": busy && "true", onclick: told.hold }, label);
    const clear = el("button", { class: "quiet", "data-key": "clear", "aria-disabled": busy && "true", onclick: () => busy || told.clear() }, "Clear");
    return [list, el("div", { class: "checkout" }, total, el("div", { class: "actions" }, hold, clear))];
  }
}

function line(
  /** @type {import("./api.js").Seat} */ seat,
  /** @type {import("./sale.js").Sale} */ sale,
  /** @type {BasketTold} */ told,
) {
  const put = { class: "quiet small", "aria-label": `Put back ${place(seat)}`, "data-key": `drop-${seat.seatId}` };
  return el(
    "li",
    {},
    el("span", {}, place(seat)),
    el("span", { class: "amount" }, money(seat.price, sale.currency)),
    el("button", { ...put, onclick: () => told.drop(seat.seatId) }, "×"),
  );
}

function finder(/** @type {string} */ currency, /** @type {number[]} */ prices, /** @type {BasketTold} */ told) {
  const numbers = Array.from({ length: MOST }, (_, index) => option(String(index + 1), String(index + 1), many === index + 1));
  const kinds = [option("", "any price", price === ""), ...prices.map((each) => option(String(each), money(each, currency), price === String(each)))];
  const howMany = /** @type {HTMLSelectElement} */ (el("select", { id: "find-many" }, ...numbers));
  const which = /** @type {HTMLSelectElement} */ (el("select", { id: "find-price" }, ...kinds));
  const find = (/** @type {Event} */ event) => {
    event.preventDefault();
    [many, price] = [Number(howMany.value), which.value];
    told.find(many, price === "" ? null : Number(price));
  };
  return el(
    "form",
    { class: "finder", onsubmit: find },
    el("p", {}, "Or let the best ones be found:"),
    el("label", {}, el("span", {}, "Seats together"), howMany),
    el("label", {}, el("span", {}, "Price"), which),
    el("button", { "data-key": "find" }, "Find seats"),
  );
}

const option = (/** @type {string} */ value, /** @type {string} */ text, selected = false) => el("option", { value, selected }, text);
