/** The customer at this tab: the basket, the bookings, and the one that is open. */

import { Api } from "./api.js";
import { showBasket } from "./basket_view.js";
import { showBooking } from "./booking_view.js";
import { showBookings } from "./bookings_view.js";
import { byId } from "./dom.js";
import { Errands } from "./errands.js";
import { say } from "./live.js";
import { notice, quiet } from "./notice.js";
import { openBefore, rememberOpen } from "./who.js";
import { ENDINGS, count, money, places } from "./words.js";

/** @typedef {import("./api.js").Booking} Booking */

/** What is said when a booking has come to this. @type {Record<string, string>} */
const NEWS = { PROCESSING: "The payment is in progress.", CONFIRMED: "Paid. Your ticket is here." };

export class Customer {
  api = new Api("");
  /** The newest first. @type {Booking[]} */
  bookings = [];
  /** The id of the booking that is shown; null: the basket is. @type {string | null} */
  opened = null;
  /** @type {(eventId: string) => import("./api.js").Event | undefined} */
  eventOf = () => undefined;
  /** @type {(eventId: string) => void} */
  goTo = () => {};
  #errands = new Errands(this);
  #changes = 0;

  /** @param {import("./house.js").House} house  @param {() => void} lookAgain */
  constructor(house, lookAgain) {
    this.house = house;
    this.lookAgain = lookAgain;
    house.explain = (text) => notice(text);
  }

  become(/** @type {Api} */ api) {
    this.api = api;
    this.opened = openBefore(api.user); // it shows once the bookings are read
    this.#take([]);
    quiet("refusal");
  }

  /** Read the bookings. Raises Refused. */
  async look() {
    const { api } = this;
    const before = this.#changes;
    const bookings = await api.mine();
    if (api === this.api && before === this.#changes) this.#take(bookings);
  }

  /** A booking is as the API has just said: what is on its way is older than that. */
  changed(/** @type {Booking} */ booking) {
    this.#changes += 1;
    this.house.changed();
    const others = this.bookings.filter(({ bookingId }) => bookingId !== booking.bookingId);
    this.#take([booking, ...others].sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt)));
  }

  /** The booking that is open. */
  booking() {
    return this.bookings.find(({ bookingId }) => bookingId === this.opened);
  }

  /** A seat was picked or put back: from now on it is the basket that is shown. */
  picked() {
    quiet("refusal");
    const { sale } = this.house;
    say(sale.picks.size ? `${count(sale.picks.size, "seat")} picked, ${money(sale.total(), sale.currency)}.` : "No seat picked.");
    this.#turnTo(null);
    this.show();
  }

  /** Somebody else has picks of ours now. */
  lost(/** @type {import("./api.js").Seat[]} */ seats) {
    const rest = this.house.sale.picks.size;
    const others = rest ? ` Still picked: your other ${count(rest, "seat")}.` : "";
    notice(`Taken by somebody else just now: ${places(seats)}.${others}`);
    this.show();
  }

  /** Show a booking, or with null the basket. */
  open(/** @type {string | null} */ bookingId) {
    quiet("refusal");
    this.#turnTo(bookingId);
    const booking = this.booking();
    if (booking) this.goTo(booking.eventId);
    this.show();
    if (booking) this.house.reveal(booking.seats.map(({ seatId }) => seatId));
    byId(booking ? "booking-head" : "basket-head")?.focus();
  }

  show() {
    const { house } = this;
    const booking = this.booking();
    const { busy } = this.#errands;
    byId("basket").hidden = Boolean(booking);
    if (!booking) showBasket(house.sale, house.prices(), this.#basket, busy);
    showBooking(booking, booking && this.eventOf(booking.eventId), this.#told, busy);
    const told = { now: this.#told.now, nameOf: this.#nameOf, choose: (/** @type {string} */ id) => this.open(id) };
    showBookings(this.bookings, this.opened, this.api.user, told);
  }

  #basket = {
    hold: () => this.#errands.hold(),
    drop: (/** @type {string} */ id) => {
      this.house.sale.toggle(id);
      this.house.refresh([id]);
      this.picked();
    },
    clear: () => {
      this.house.refresh(this.house.sale.pickOnly([]));
      this.picked();
    },
    find: (/** @type {number} */ many, /** @type {number | null} */ price) =>
      this.house.find(many, price) ? this.picked() : notice("There are not so many seats together at that price."),
  };

  #told = {
    now: () => this.api.now(),
    ticket: (/** @type {string} */ bookingId) => this.api.ticket(bookingId),
    pay: (/** @type {string} */ outcome) => this.#errands.pay(outcome),
    cancel: () => this.#errands.cancel(),
    close: () => this.open(null),
    over: () => this.lookAgain(),
  };

  #nameOf = (/** @type {string} */ eventId) => this.eventOf(eventId)?.name ?? "Another event";

  #turnTo(/** @type {string | null} */ bookingId) {
    this.opened = bookingId;
    rememberOpen(this.api.user, bookingId);
  }

  #take(/** @type {Booking[]} */ bookings) {
    const before = new Map(this.bookings.map(({ bookingId, status }) => [bookingId, status]));
    if (JSON.stringify(bookings) === JSON.stringify(this.bookings)) return;
    this.bookings = bookings;
    for (const { bookingId, status, cancellationReason } of bookings) {
      if (!before.has(bookingId) || before.get(bookingId) === status) continue;
      const ending = /** @type {Record<string, string>} */ (ENDINGS)[cancellationReason ?? ""];
      say(NEWS[status] ?? ending ?? "A booking of yours is over.");
    }
    this.house.own(bookings);
    this.show();
  }
}
