/** The hall of one event on the page: what was read last, what is picked, and how large it is shown. */

import { bestTogether } from "./best.js";
import { byId, el } from "./dom.js";
import { PITCH } from "./geometry.js";
import { HallInput } from "./hall_input.js";
import { HallView } from "./hall_view.js";
import { HallZoom } from "./hall_zoom.js";
import { showLegend } from "./legend.js";
import { Sale } from "./sale.js";

/** @typedef {import("./api.js").Seat} Seat */
/**
 * @typedef {{picked: () => void, lost: (seats: Seat[]) => void, booked: (bookingId: string) => void,
 *   facts: (event: import("./api.js").Event, free: number, all: number) => void, drawn: () => void}} HouseTold
 */

const HINT = "Point at a seat to see its price; click to pick it.";
const TOUCH_HINT = "Touch to come nearer, then touch a seat.";

export class House {
  /** @type {import("./api.js").Event | null} */
  event = null;
  sale = new Sale("", "EUR");
  /** @type {HallView | null} */
  view = null;
  /** Why the last pick was none, for the readout and for screen readers. @type {(text: string) => void} */
  explain = () => {};
  /** @type {HouseTold} */
  told = { picked() {}, lost() {}, booked() {}, facts() {}, drawn() {} };
  /** While it is true, nothing is learnt of the seats. */
  still = false;
  /** @type {import("./api.js").Booking[]} */
  #bookings = [];
  #read = "";
  /** The seat that the readout tells of. @type {string | null} */
  #pointed = null;
  #changes = 0;
  #zoom = new HallZoom(byId("scroll"));

  constructor() {
    byId("larger").addEventListener("click", this.#zoom.larger);
    byId("smaller").addEventListener("click", this.#zoom.smaller);
    byId("whole").addEventListener("click", this.#zoom.whole);
  }

  /** Turn to an event; it is drawn once its seats are read. */
  open(/** @type {import("./api.js").Event} */ event) {
    this.event = event;
    this.sale = new Sale(event.eventId, event.currency);
    this.sale.own(this.#bookings);
    this.view = null;
    this.changed();
    byId("scroll").replaceChildren();
    byId("legend").replaceChildren();
  }

  /** The event is the same, but something about it is not. */
  renew(/** @type {import("./api.js").Event} */ event) {
    this.event = event;
    this.told.facts(event, this.sale.freeSeats(), this.sale.seats.size);
  }

  /** What is on its way from the API is older than what is known here: don't believe it. */
  changed() {
    this.#changes += 1;
    this.#read = "";
  }

  /** Read the seats and show what is different. Raises Refused. */
  async look(/** @type {import("./api.js").Api} */ api) {
    const { event, sale } = this;
    const before = this.#changes;
    if (!event) return;
    const { text, seats } = await api.seats(event.eventId);
    if (this.still || before !== this.#changes || text === this.#read) return;
    this.#read = text;
    const { changed, lost } = sale.load(seats());
    const known = this.view !== null && changed.every((id) => this.view?.cell(id));
    if (known) this.view?.refresh(changed, true);
    else this.#draw(event);
    this.#point(this.#pointed);
    this.told.facts(event, sale.freeSeats(), sale.seats.size);
    if (lost.length) this.told.lost(lost);
  }

  /** Take in the customer's bookings. */
  own(/** @type {import("./api.js").Booking[]} */ bookings) {
    this.#bookings = bookings;
    this.refresh(this.sale.own(bookings));
  }

  /** Show these seats as they are now. */
  refresh(/** @type {string[]} */ ids) {
    this.view?.refresh(ids);
    this.#point(this.#pointed);
  }

  /** Pick seats together. Whether there are any. */
  find(/** @type {number} */ many, /** @type {number | null} */ price) {
    const ids = this.view ? bestTogether(this.view.hall, this.sale, many, price) : [];
    if (ids.length) this.view?.refresh(this.sale.pickOnly(ids));
    this.reveal(ids);
    return ids.length > 0;
  }

  /** Move the hall, not the page, so that one of these can be seen; once the panel beside it has its new height. */
  reveal(/** @type {string[]} */ ids) {
    requestAnimationFrame(() => this.#zoom.reveal(ids.flatMap((id) => this.view?.cell(id) ?? [])));
  }

  prices() {
    return this.view?.hall.prices ?? [];
  }

  #draw(/** @type {import("./api.js").Event} */ event) {
    const view = new HallView(this.sale, event.name);
    this.view = view;
    const frame = el("div", { class: "frame" }, view.root);
    byId("scroll").replaceChildren(frame);
    this.#zoom.show(view.root, view.hall);
    showLegend(view.hall.prices, event.currency);
    new HallInput(view, frame, {
      pick: (id) => this.#pick(id),
      point: (id) => this.#point(id),
      tooSmall: (x, y) => this.#zoom.tooSmall(x, y, PITCH),
    });
    this.#pointed = null;
    this.told.drawn();
  }

  #pick(/** @type {string} */ id) {
    const outcome = this.sale.toggle(id);
    this.#pointed = id;
    this.refresh([id]);
    if (outcome === "picked" || outcome === "dropped") return this.told.picked();
    if (outcome === "full") return this.explain("Ten seats are the most for one booking: put one back first.");
    if (outcome === "mine") return this.told.booked(/** @type {string} */ (this.sale.mine.get(id)));
    return this.explain(`${this.view?.label(id)}: it can't be picked.`);
  }

  #point(/** @type {string | null} */ id) {
    this.#pointed = id;
    const hint = matchMedia("(pointer: coarse)").matches ? TOUCH_HINT : HINT;
    byId("readout").textContent = id ? (this.view?.label(id) ?? "") : hint;
  }
}
