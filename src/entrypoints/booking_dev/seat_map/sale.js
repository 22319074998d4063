/** What is known of an event's seats, which of them are picked here, and which are booked by this customer. No page. */

/** @typedef {import("./api.js").Seat} Seat */
/** @typedef {import("./api.js").Booking} Booking */
/** @typedef {"free" | "picked" | "mine" | "held" | "sold"} State */

/** BR-03. */
export const MOST = 10;

const LIVE = new Set(["PENDING", "PROCESSING", "CONFIRMED"]);

/** Whether its seats are its owner's still. */
export const isLive = (/** @type {Booking} */ booking) => LIVE.has(booking.status);

export class Sale {
  /** @type {Map<string, Seat>} */
  seats = new Map();
  /** In the order in which they were picked. @type {Set<string>} */
  picks = new Set();
  /** Seats of live bookings, to the booking's id. @type {Map<string, string>} */
  mine = new Map();

  /** @param {string} eventId  @param {string} currency */
  constructor(eventId, currency) {
    this.eventId = eventId;
    this.currency = currency;
  }

  /** @returns {State} */
  stateOf(/** @type {string} */ id) {
    if (this.mine.has(id)) return "mine";
    const status = this.seats.get(id)?.status;
    if (status === "HELD") return "held";
    if (status !== "AVAILABLE") return "sold";
    return this.picks.has(id) ? "picked" : "free";
  }

  /** Take in what the API said; the seats that look different now, and the picks that somebody else has got. */
  load(/** @type {Seat[]} */ seats) {
    const changed = [];
    for (const seat of seats) {
      const before = this.seats.get(seat.seatId);
      this.seats.set(seat.seatId, seat);
      if (before?.status !== seat.status || before?.price !== seat.price) changed.push(seat.seatId);
    }
    return { changed, lost: this.#lost() };
  }

  /** Take in this customer's bookings; the seats that look different now, and picks that became bookings elsewhere. */
  own(/** @type {Booking[]} */ bookings) {
    const before = this.mine;
    const ours = bookings.filter((booking) => booking.eventId === this.eventId && isLive(booking));
    this.mine = new Map(ours.flatMap((booking) => booking.seats.map((seat) => [seat.seatId, booking.bookingId])));
    const changed = [...new Set([...before.keys(), ...this.mine.keys()])];
    for (const id of this.mine.keys()) this.picks.delete(id);
    return changed.filter((id) => before.has(id) !== this.mine.has(id));
  }

  /** Somebody else has these, says a refusal. The picks that are lost with them. */
  taken(/** @type {string[]} */ ids) {
    for (const id of ids) {
      const seat = this.seats.get(id);
      if (seat?.status === "AVAILABLE") this.seats.set(id, { ...seat, status: "HELD" });
    }
    return this.#lost();
  }

  /** These are free again: what is known before the next look at the hall. */
  freed(/** @type {string[]} */ ids) {
    for (const id of ids) {
      const seat = this.seats.get(id);
      if (seat) this.seats.set(id, { ...seat, status: "AVAILABLE" });
    }
  }

  /** Pick a seat or put it back. @returns {"picked" | "dropped" | "full" | State} a state: nothing was done */
  toggle(/** @type {string} */ id) {
    const state = this.stateOf(id);
    if (state === "picked") return this.picks.delete(id), "dropped";
    if (state !== "free") return state;
    if (this.picks.size >= MOST) return "full";
    this.picks.add(id);
    return "picked";
  }

  /** Pick these instead of whatever was picked; the seats that look different now. */
  pickOnly(/** @type {string[]} */ ids) {
    const changed = [...this.picks, ...ids];
    this.picks = new Set(ids);
    return changed;
  }

  picked() {
    return [...this.picks].map((id) => /** @type {Seat} */ (this.seats.get(id)));
  }

  total() {
    return this.picked().reduce((sum, seat) => sum + seat.price, 0);
  }

  freeSeats() {
    let free = 0;
    for (const seat of this.seats.values()) if (seat.status === "AVAILABLE") free += 1;
    return free;
  }

  #lost() {
    const lost = this.picked().filter((seat) => seat.status !== "AVAILABLE");
    for (const seat of lost) this.picks.delete(seat.seatId);
    return lost;
  }
}
