/** The customer's bookings, newest first, to open one of them. */

import { byId, el, heading, refill } from "./dom.js";
import { STATUSES, count, money } from "./words.js";

const MOST = 8;

let shown = "";

export function showBookings(
  /** @type {import("./api.js").Booking[]} */ bookings,
  /** @type {string | null} */ open,
  /** @type {string} */ user,
  /** @type {(bookingId: string) => void} */ choose,
) {
  const newest = bookings.slice(0, MOST);
  const looks = JSON.stringify([user, open, ...newest.map(({ bookingId, status }) => [bookingId, status])]);
  if (looks === shown) return;
  shown = looks;
  const part = byId("bookings");
  part.hidden = newest.length === 0;
  const lines = newest.map((booking) => {
    const status = STATUSES[/** @type {keyof typeof STATUSES} */ (booking.status)] ?? booking.status;
    const pressed = { "aria-current": booking.bookingId === open ? "true" : null, "data-key": booking.bookingId };
    const text = `${count(booking.seats.length, "seat")}, ${money(booking.totalAmount, booking.currency)}`;
    const mark = el("span", { class: `mark ${booking.status.toLowerCase()}` }, status);
    return el("li", {}, el("button", { class: "row", ...pressed, onclick: () => choose(booking.bookingId) }, text, mark));
  });
  refill(part, heading("bookings-head", `Bookings of ${user}`), el("ul", {}, ...lines));
}
