/** What a customer asks of the API: one thing at a time, and its refusals in words. */

import { say } from "./live.js";
import { notice, quiet } from "./notice.js";
import { count, places, refusal } from "./words.js";

/** @typedef {import("./api.js").Booking} Booking */
/** @typedef {import("./api.js").Refused} Refused */

const LOOK_MS = 120;
const PATIENCE_MS = 15_000;

export class Errands {
  /** Whether an answer is awaited. */
  busy = false;
  /** One key for one basket: asked again after an answer that got lost, it is held once. */
  #attempt = { basket: "", key: "" };

  /** @param {import("./customer.js").Customer} customer */
  constructor(customer) {
    this.customer = customer;
  }

  /** Hold what is picked. */
  hold = () =>
    this.#do(async () => {
      const { api, house } = this.customer;
      const { sale } = house;
      const ids = [...sale.picks];
      const basket = JSON.stringify([api.user, ids]);
      if (basket !== this.#attempt.basket) this.#attempt = { basket, key: crypto.randomUUID() };
      house.still = true; // our own hold, seen on the map before the answer is here, is nobody else's
      try {
        const booking = await api.hold(sale.eventId, ids, this.#attempt.key);
        this.#attempt.basket = "";
        this.customer.changed(booking);
        this.customer.open(booking.bookingId);
        const seconds = Math.round((Date.parse(booking.expiresAt) - Date.parse(booking.createdAt)) / 1000);
        const long = seconds < 60 ? count(seconds, "second") : count(Math.round(seconds / 60), "minute");
        say(`${count(ids.length, "seat")} held for ${long}.`);
      } finally {
        house.still = false;
      }
    });

  /** Let the Payment Service say something of the open booking, and wait until it has arrived. */
  pay = (/** @type {string} */ outcome) =>
    this.#do(async () => {
      const { customer } = this;
      const before = this.#looks();
      await customer.api.pay(/** @type {string} */ (customer.opened), outcome);
      for (let waited = 0; waited < PATIENCE_MS && before === this.#looks(); waited += LOOK_MS) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        await customer.look();
      }
      customer.house.changed();
    });

  cancel = () =>
    this.#do(async () => {
      const { customer } = this;
      const booking = await customer.api.cancel(/** @type {string} */ (customer.opened));
      const ids = booking.seats.map((seat) => seat.seatId);
      if (booking.eventId === customer.house.sale.eventId) customer.house.sale.freed(ids);
      customer.changed(booking);
    });

  async #do(/** @type {() => Promise<void>} */ work) {
    if (this.busy) return;
    const { customer } = this;
    quiet("refusal");
    this.busy = true;
    customer.show();
    try {
      await work();
    } catch (error) {
      this.#explain(/** @type {Refused} */ (error));
    } finally {
      this.busy = false;
      customer.show();
      customer.lookAgain();
    }
  }

  /** In words, and the map learns what the refusal tells of it. */
  #explain(/** @type {Refused} */ error) {
    if (error.code === undefined) throw error;
    if (error.code === "NO_ANSWER") return notice("No answer came. Try it again: nothing is done twice.");
    const { sale } = this.customer.house;
    const gone = error.details.unavailableSeatIds ?? [];
    if (gone.length === 0) return notice(refusal(error));
    const lost = sale.taken(gone);
    this.customer.house.refresh(gone);
    this.customer.house.changed();
    const rest = sale.picks.size ? ` Still picked: your other ${count(sale.picks.size, "seat")}.` : "";
    notice(`${refusal(error)} Taken: ${places(lost)}.${rest}`);
  }

  /** The open booking as far as a payment changes it. */
  #looks() {
    const booking = this.customer.booking();
    return JSON.stringify([booking?.status, booking?.refunds]);
  }
}
