/** One booking: the time that is left, the simulated bank, the ticket, and how it ended. */

import { countdown } from "./countdown.js";
import { byId, el, heading, refill } from "./dom.js";
import { cancelling } from "./cancelling.js";
import { ticket } from "./ticket.js";
import { ENDINGS, ENDS, REFUNDS, REFUND_STATES, clock, count, money, row, runs, when } from "./words.js";

/** @typedef {import("./api.js").Booking} Booking */
/** @typedef {import("./api.js").Event | undefined} Known  undefined: the event is not in the list */
/**
 * @typedef {{pay: (outcome: string) => void, cancel: () => void, close: () => void, over: () => void,
 *   now: () => number, ticket: (bookingId: string) => Promise<Blob>}} BookingTold
 */

let shown = "";

/** Show a booking, or none. Nothing is touched while it looks as it did: nobody loses their place every second. */
export function showBooking(/** @type {Booking | undefined} */ booking, /** @type {Known} */ event, /** @type {BookingTold} */ told, busy = false) {
  const part = byId("booking");
  const looks = JSON.stringify([booking, event, busy]);
  if (looks === shown) return;
  shown = looks;
  part.hidden = !booking;
  part.dataset.status = booking?.status ?? "";
  if (!booking) return part.replaceChildren();
  const views = { PENDING: pending, PROCESSING: processing, CONFIRMED: confirmed, CANCELLED: cancelled };
  const view = views[/** @type {keyof typeof views} */ (booking.status)];
  const [title, ...rest] = view(booking, told, busy, event);
  refill(part, title, about(event), ...rest, ...refunds(booking), seats(booking));
}

/** What it is for: the first thing to be read on a ticket. */
function about(/** @type {Known} */ event) {
  const [name, time] = event ? [event.name, when(event.startsAt)] : ["Another event", ""];
  return el("p", { class: "about" }, el("b", {}, name), el("span", {}, time));
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
      action(busy ? "One moment…" : `Pay ${price}`, "pay", busy, () => told.pay("success"), "primary wide"),
      el("p", { class: "hint wide" }, "Or see what else can happen:"),
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
    el("p", { class: "hint" }, `Since ${since}. The seats stay yours for some minutes more; they can be cancelled once it has answered. You are the bank, too:`),
    el(
      "div",
      { class: "actions" },
      action("Bank says yes", "pay", busy, () => told.pay("success"), "primary"),
      action("Bank says no", "fail", busy, () => told.pay("failed")),
    ),
  ];
}

function confirmed(/** @type {Booking} */ booking, /** @type {BookingTold} */ told, /** @type {boolean} */ busy, /** @type {Known} */ event) {
  return [
    heading("booking-head", "Your ticket"),
    ticket(booking, told.ticket),
    el(
      "div",
      { class: "actions" },
      action("More seats", "close", false, told.close),
      cancelling(booking, event, busy, told.now, told.cancel),
    ),
  ];
}

function cancelled(/** @type {Booking} */ booking, /** @type {BookingTold} */ told, /** @type {boolean} */ busy) {
  const reason = booking.cancellationReason ?? "";
  const late = reason === "EXPIRED" && !booking.refunds?.length;
  return [
    heading("booking-head", ENDS[reason] ?? "Booking cancelled"),
    el("p", {}, ENDINGS[/** @type {keyof typeof ENDINGS} */ (reason)] ?? "It is over."),
    reason === "USER_CANCELLED" && booking.confirmedAt && !booking.refunds?.length
      ? el("p", {}, "It was less than 24 hours to the start: nothing is paid back.")
      : null,
    el(
      "div",
      { class: "actions" },
      action("Pick other seats", "close", false, told.close, "primary"),
      late ? action("Pay all the same", "pay", busy, () => told.pay("success")) : null,
    ),
  ];
}

function seats(/** @type {Booking} */ booking) {
  const lines = runs(booking.seats).map((run) => {
    const price = run.reduce((sum, seat) => sum + seat.price, 0);
    return el("li", {}, el("span", {}, row(run)), el("span", { class: "amount" }, money(price, booking.currency)));
  });
  const total = el("p", { class: "total" }, el("span", {}, "Total"), el("b", {}, money(booking.totalAmount, booking.currency)));
  return el("div", {}, el("ul", { class: "seats-list" }, ...lines), total);
}

function refunds(/** @type {Booking} */ booking) {
  return (booking.refunds ?? []).map((refund) => {
    const why = REFUNDS[/** @type {keyof typeof REFUNDS} */ (refund.reason)] ?? refund.reason;
    const state = REFUND_STATES[/** @type {keyof typeof REFUND_STATES} */ (refund.status)] ?? refund.status;
    return el("p", { class: "refund" }, el("b", {}, `Refund of ${money(refund.amount, refund.currency)}: ${state}`), ` (${why})`);
  });
}

function action(/** @type {string} */ text, /** @type {string} */ key, /** @type {boolean} */ busy, /** @type {() => void} */ onclick, kind = "") {
  return el("button", { class: kind, "data-key": key, "aria-disabled": busy && "true", onclick }, text);
}
