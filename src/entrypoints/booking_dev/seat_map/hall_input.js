/** Pointer and keys on the hall: one seat is in the tab order at a time, arrow keys move it, space and Enter pick. */

/** @typedef {import("./hall_view.js").HallView} HallView */
/** @typedef {{pick: (id: string) => void, point: (id: string | null) => void, tooSmall: (x: number, y: number) => boolean}} Told */

const FAR = 5;
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [-FAR, 0], PageDown: [FAR, 0] };

export class HallInput {
  /** Where the keys are. @type {[row: number, index: number]} */
  #at = [0, 0];

  /**
   * `told.pick` a seat that was clicked or chosen; `told.point` the seat under the pointer or the keys; `told.tooSmall`
   * whether a touch there could have meant several seats, and then it is no pick.
   * `around` is what the hall is in: an SVG that listens to focus gets a tab stop of its own.
   * @param {HallView} view  @param {HTMLElement} around  @param {Told} told
   */
  constructor(view, around, told) {
    this.view = view;
    this.told = told;
    around.addEventListener("click", (event) => this.#clicked(/** @type {PointerEvent} */ (event)));
    around.addEventListener("pointermove", (event) => told.point(this.#seatOf(event) ?? null));
    around.addEventListener("pointerleave", () => told.point(null));
    around.addEventListener("keydown", (event) => this.#pressed(event));
    around.addEventListener("focusin", (event) => this.#entered(event));
    around.addEventListener("focusout", () => view.ring(null));
    this.#here()?.setAttribute("tabindex", "0");
  }

  /** Put the tab stop at a seat, and the focus if `focus`. */
  goTo(/** @type {string} */ id, focus = false) {
    this.view.hall.rows.forEach((row, index) => {
      const found = row.spots.findIndex((spot) => spot.seat.seatId === id);
      if (found >= 0) this.#move([index, found]);
    });
    if (focus) this.#here()?.focus();
  }

  #id([row, index] = this.#at) {
    return this.view.hall.rows[row]?.spots[index]?.seat.seatId;
  }

  #here() {
    const id = this.#id();
    return id === undefined ? undefined : this.view.cell(id);
  }

  #seatOf(/** @type {MouseEvent} */ event) {
    const cell = /** @type {Element} */ (event.target).closest("[data-seat]");
    return cell?.getAttribute("data-seat") ?? this.view.at(event.clientX, event.clientY);
  }

  #clicked(/** @type {PointerEvent} */ event) {
    if (event.pointerType === "touch" && this.told.tooSmall(event.clientX, event.clientY)) return;
    const id = this.#seatOf(event);
    if (id === undefined) return;
    this.goTo(id);
    this.told.pick(id);
  }

  #entered(/** @type {FocusEvent} */ event) {
    const id = /** @type {Element} */ (event.target).getAttribute("data-seat");
    if (id === null) return;
    this.goTo(id);
    this.told.point(id);
    // After a click the seat itself shows what was done; the ring is for those who can't see a pointer.
    if (/** @type {Element} */ (event.target).matches(":focus-visible")) this.view.ring(id);
  }

  #pressed(/** @type {KeyboardEvent} */ event) {
    if (event.altKey || event.metaKey) return;
    const id = this.#id();
    if ((event.key === " " || event.key === "Enter") && id !== undefined) this.told.pick(id);
    else if (!this.#travelled(event)) return;
    event.preventDefault();
  }

  /** Whether the key leads to some seat. */
  #travelled(/** @type {KeyboardEvent} */ { key, ctrlKey }) {
    const rows = this.view.hall.rows;
    const [row, index] = this.#at;
    const step = ARROWS[/** @type {keyof typeof ARROWS} */ (key)];
    if (step?.[0]) this.#focus(this.#below(step[0]));
    else if (step) this.#focus([row, clamp(index + step[1], rows[row].spots.length)]);
    else if (key === "Home") this.#focus([ctrlKey ? 0 : row, 0]);
    else if (key === "End" && ctrlKey) this.#focus([rows.length - 1, rows[rows.length - 1].spots.length - 1]);
    else if (key === "End") this.#focus([row, rows[row].spots.length - 1]);
    else return false;
    return true;
  }

  /** The seat so many rows behind, as straight as can be. @returns {[number, number]} */
  #below(/** @type {number} */ rows) {
    const [row, index] = this.#at;
    const all = this.view.hall.rows;
    const there = clamp(row + rows, all.length);
    const x = all[row].spots[index].x;
    const off = all[there].spots.map((spot) => Math.abs(spot.x - x));
    return [there, off.indexOf(Math.min(...off))];
  }

  #focus(/** @type {[number, number]} */ at) {
    this.#move(at);
    const cell = this.#here();
    cell?.focus({ preventScroll: true });
    cell?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #move(/** @type {[number, number]} */ at) {
    this.#here()?.setAttribute("tabindex", "-1");
    this.#at = at;
    this.#here()?.setAttribute("tabindex", "0");
  }
}

const clamp = (/** @type {number} */ index, /** @type {number} */ length) => Math.max(0, Math.min(length - 1, index));
