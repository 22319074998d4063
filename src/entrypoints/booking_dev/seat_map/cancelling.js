/** A ticket is not given back by one careless click: what becomes of the money is said first. */

import { el } from "./dom.js";
import { money } from "./words.js";

const NO_REFUND_MS = 24 * 3600 * 1000;

let questions = 0;

/**
 * The way to cancel a paid booking, or null once the event has begun. BR-04 in words; the API decides all the same.
 * @param {import("./api.js").Booking} booking  @param {import("./api.js").Event | undefined} event
 */
export function cancelling(booking, event, /** @type {boolean} */ busy, /** @type {() => number} */ now, /** @type {() => void} */ cancel) {
  const left = event ? Date.parse(event.startsAt) - now() : Infinity;
  if (left <= 0) return null;
  const whole = el("div", { class: "cancelling" });
  const plain = () => el("button", { class: "quiet", "data-key": "cancel", "aria-disabled": busy && "true", onclick: ask }, "Cancel booking");
  const keep = () => {
    whole.replaceChildren(plain());
    whole.querySelector("button")?.focus();
  };
  function ask() {
    const id = `question-${(questions += 1)}`;
    const question = el("p", { id }, left > NO_REFUND_MS ? `Cancel it? ${money(booking.totalAmount, booking.currency)} will be paid back.`
      : "Cancel it? It is less than 24 hours to the start: nothing will be paid back.");
    const kept = el("button", { onclick: keep }, "Keep it");
    const given = el("button", { class: "danger", "data-key": "cancel", "aria-disabled": busy && "true", onclick: cancel }, "Yes, cancel it");
    whole.replaceChildren(el("div", { class: "question", role: "group", "aria-labelledby": id }, question, el("div", { class: "actions" }, kept, given)));
    kept.focus();
  }
  whole.append(plain());
  return whole;
}
