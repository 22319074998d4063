/** The customer's bookings, newest first, to open one of them. */

import { timeLeft } from "./countdown.js";
import { byId, el, heading, refill } from "./dom.js";
import { STATUSES, count, money } from "./words.js";

/** @typedef {import("./api.js").Booking} Booking */
/** @typedef {{choose: (bookingId: string) => void, nameOf: (eventId: string) => string, now: () => number}} BookingsTold */

const MOST = 8;

let shown = "";

export function showBookings(
  /** @type {Booking[]} */ bookings,
  /** @type {string | null} */ open,
  /** @type {string} */ user,
  /** @type {BookingsTold} */ told,
) {
  const newest = bookings.slice(0, MOST);
  const names = newest.map(({ eventId }) => told.nameOf(eventId));
  const looks = JSON.stringify([user, open, names, ...newest.map(({ bookingId, status }) => [bookingId, status])]);
  if (looks === shown) return;
  shown = looks;
  const part = byId("bookings");
  part.hidden = newest.length === 0;
  const lines = newest.map((booking, index) => {
    const pressed = { "aria-current": booking.bookingId === open ? "true" : null, "data-key": booking.bookingId };
    const text = `${count(booking.seats.length, "seat")}, ${money(booking.totalAmount, booking.currency)}`;
    const what = el("span", { class: "what" }, el("span", { class: "event" }, names[index]), " ", el("span", {}, text));
    return el("li", {}, el("button", { class: "row", ...pressed, onclick: () => told.choose(booking.bookingId) }, what, " ", mark(booking, told)));
  });
  refill(part, heading("bookings-head", `Bookings of ${user}`), el("ul", {}, ...lines));
}

/** How far it is; of a hold also how long it lasts, for it ends whether it is looked at or not. */
function mark(/** @type {Booking} */ booking, /** @type {BookingsTold} */ told) {
  const status = STATUSES[/** @type {keyof typeof STATUSES} */ (booking.status)] ?? booking.status;
  const shape = { class: `mark ${booking.status.toLowerCase()}` };
  if (booking.status !== "PENDING") return el("span", shape, status);
  return el("span", shape, timeLeft(status, Date.parse(booking.expiresAt), told.now));
}
