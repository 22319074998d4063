/** One booking: the time that is left, the simulated bank, the ticket, and how it ended. */

import { countdown } from "./countdown.js";
import { byId, el, heading, refill } from "./dom.js";
import { ticket } from "./ticket.js";
import { ENDINGS, REFUNDS, REFUND_STATES, clock, count, money, place } from "./words.js";

/** @typedef {import("./api.js").Booking} Booking */
/**
 * @typedef {{pay: (outcome: string) => void, cancel: () => void, close: () => void, over: () => void,
 *   now: () => number, ticket: (bookingId: string) => Promise<Blob>}} BookingTold
 */

let shown = "";

/** Show a booking, or none. Nothing is touched while it looks as it did: nobody loses their place every second. */
export function showBooking(/** @type {Booking | undefined} */ booking, /** @type {string} */ eventName, /** @type {BookingTold} */ told, busy = false) {
  const part = byId("booking");
  const looks = JSON.stringify([booking, eventName, busy]);
  if (looks === shown) return;
  shown = looks;
  part.hidden = !booking;
  part.dataset.status = booking?.status ?? "";
  if (!booking) return part.replaceChildren();
  const views = { PENDING: pending, PROCESSING: processing, CONFIRMED: confirmed, CANCELLED: cancelled };
  const view = views[/** @type {keyof typeof views} */ (booking.status)];
  refill(part, ...view(booking, told, busy), seats(booking), ...refunds(booking), el("p", { class: "hint" }, eventName));
}

function pending(/** @type {Booking} */ booking, /** @type {BookingTold} */ told, /** @type {boolean} */ busy) {
  const times = { from: Date.parse(booking.createdAt), until: Date.parse(booking.expiresAt), now: told.now, over: told.over };
  const price = money(booking.totalAmount, booking.currency);
  return [
    heading("booking-head", `${count(booking.seats.length, "seat")} held for you`),
    countdown(times),
    el("p", { class: "hint" }, `Pay by ${clock(booking.expiresAt)}, or somebody else may have them.`),
    el(
      "div",
      { class: "actions" },
      action(busy ? "Waiting for the bank…" : `Pay ${price}`, "pay", busy, () => told.pay("success"), "primary wide"),
      action("Let the card fail", "fail", busy, () => told.pay("failed")),
      action("Take too long", "slow", busy, () => told.pay("processing")),
      action("Give the seats back", "cancel", busy, told.cancel, "quiet wide"),
    ),
  ];
}

function processing(/** @type {Booking} */ booking, /** @type {BookingTold} */ told, /** @type {boolean} */ busy) {
  const since = clock(booking.processingStartedAt ?? booking.createdAt);
  return [
    heading("booking-head", "The bank is taking its time"),
    el("p", { class: "hint" }, `Since ${since}. The seats stay yours while it does, but not for ever. You are the bank, too:`),
    el(
      "div",
      { class: "actions" },
      action("Bank says yes", "pay", busy, () => told.pay("success"), "primary"),
      action("Bank says no", "fail", busy, () => told.pay("failed")),
      action("Cancel booking", "cancel", busy, told.cancel, "quiet wide"),
    ),
  ];
}

function confirmed(/** @type {Booking} */ booking, /** @type {BookingTold} */ told, /** @type {boolean} */ busy) {
  return [
    heading("booking-head", "Your ticket"),
    ticket(booking, told.ticket),
    el(
      "div",
      { class: "actions" },
      action("More seats", "close", false, told.close),
      action("Cancel booking", "cancel", busy, told.cancel, "quiet"),
    ),
  ];
}

function cancelled(/** @type {Booking} */ booking, /** @type {BookingTold} */ told, /** @type {boolean} */ busy) {
  const reason = booking.cancellationReason ?? "";
  const late = reason === "EXPIRED" && !booking.refunds?.length;
  return [
    heading("booking-head", reason === "EXPIRED" ? "Too late" : "Booking cancelled"),
    el("p", {}, ENDINGS[/** @type {keyof typeof ENDINGS} */ (reason)] ?? "It is over."),
    el(
      "div",
      { class: "actions" },
      action("Pick other seats", "close", false, told.close, "primary"),
      late ? action("Pay all the same", "pay", busy, () => told.pay("success")) : null,
    ),
  ];
}

function seats(/** @type {Booking} */ booking) {
  const inOrder = [...booking.seats].sort((a, b) => a.row.localeCompare(b.row, "en", { numeric: true }) || a.number - b.number);
  const lines = inOrder.map((seat) =>
    el("li", {}, el("span", {}, place(seat)), el("span", { class: "amount" }, money(seat.price, booking.currency))),
  );
  const total = el("p", { class: "total" }, el("span", {}, "Total"), el("b", {}, money(booking.totalAmount, booking.currency)));
  return el("div", {}, el("ul", { class: "seats-list" }, ...lines), total);
}

function refunds(/** @type {Booking} */ booking) {
  return (booking.refunds ?? []).map((refund) => {
    const why = REFUNDS[/** @type {keyof typeof REFUNDS} */ (refund.reason)] ?? refund.reason;
    const state = REFUND_STATES[/** @type {keyof typeof REFUND_STATES} */ (refund.status)] ?? refund.status;
    return el("p", { class: "refund" }, el("b", {}, `${money(refund.amount, refund.currency)}: ${state}`), ` (${why})`);
  });
}

function action(/** @type {string} */ text, /** @type {string} */ key, /** @type {boolean} */ busy, /** @type {() => void} */ onclick, kind = "") {
  return el("button", { class: kind, "data-key": key, disabled: busy, onclick }, text);
}
