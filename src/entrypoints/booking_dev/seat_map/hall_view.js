/** Draws a hall as SVG, once; then changes only the seats whose state changed. Each seat is a cell of a grid. */

import { svg } from "./dom.js";
import { PITCH, layOut } from "./geometry.js";
import { SHAPES } from "./shapes.js";
import { STATES, money, place } from "./words.js";

/** Colours for so many prices; the map has the price in words beside the rows as well. */
const TIERS = 6;
/** More seats than these change without a move: it would cost more than it tells. */
const FEW = 60;

/** The number of a price's colour. */
export const tier = (/** @type {number[]} */ prices, /** @type {number} */ price) => prices.indexOf(price) % TIERS;

export class HallView {
  /** @type {Map<string, SVGElement>} */
  #cells = new Map();
  #ring = svg("rect", { class: "ring", x: -14, y: -14, width: 28, height: 28, rx: 9, "aria-hidden": "true" });

  /** @param {import("./sale.js").Sale} sale  @param {string} name */
  constructor(sale, name) {
    this.sale = sale;
    this.hall = layOut([...sale.seats.values()]);
    this.root = this.#draw(name);
  }

  /** The seat's element. */
  cell = (/** @type {string} */ id) => this.#cells.get(id);

  /** Row A, seat 12, 45.00 EUR, available. */
  label(/** @type {string} */ id) {
    const seat = this.sale.seats.get(id);
    return seat ? `${place(seat)}, ${money(seat.price, this.sale.currency)}, ${STATES[this.sale.stateOf(id)]}` : "";
  }

  /** Show these seats as they are now; `alive` for those that changed under the customer's eyes. */
  refresh(/** @type {string[]} */ ids, alive = false) {
    const moves = alive && ids.length <= FEW && !calm();
    for (const id of ids) {
      const cell = this.#cells.get(id);
      if (!cell) continue;
      this.#paint(cell, id);
      if (moves) cell.animate?.([{ opacity: 0.1 }, { opacity: 1 }], { duration: 500 });
    }
  }

  /** Mark the seat that the keys move from; null: none. */
  ring(/** @type {string | null} */ id) {
    const cell = id && this.#cells.get(id);
    if (!cell) return this.#ring.setAttribute("class", "ring");
    this.#ring.setAttribute("transform", cell.getAttribute("transform") ?? "");
    this.#ring.setAttribute("class", "ring on");
  }

  /** The seat nearest to a point of the window, if the point is at a seat at all. */
  at(/** @type {number} */ clientX, /** @type {number} */ clientY) {
    const matrix = /** @type {SVGSVGElement} */ (this.root).getScreenCTM();
    if (!matrix) return undefined;
    const { x, y } = new DOMPoint(clientX, clientY).matrixTransform(matrix.inverse());
    const index = Math.round((y - this.hall.front - this.hall.bend(x)) / PITCH);
    const spots = this.hall.rows[index]?.spots ?? [];
    return spots.find((spot) => Math.abs(spot.x - x) <= PITCH / 2 && Math.abs(spot.y - y) <= PITCH / 2)?.seat.seatId;
  }

  #draw(/** @type {string} */ name) {
    const { width, height, rows } = this.hall;
    const frame = { viewBox: `${-width / 2} 0 ${width} ${height}`, role: "grid", "aria-multiselectable": "true" };
    const help = "Arrow keys go from seat to seat, space picks one";
    const root = svg("svg", { ...frame, class: "seats", "aria-label": `Seats of ${name}. ${help}` }, this.#stage());
    rows.forEach((row, index) => {
      const cells = row.spots.map((spot) => this.#cell(spot));
      root.append(svg("g", { role: "row", "aria-label": `Row ${row.name}`, "aria-rowindex": index + 1 }, ...cells), ...namesOf(row));
    });
    root.append(...this.#numbers(), ...this.#zones(), this.#ring);
    return root;
  }

  #cell(/** @type {import("./geometry.js").Spot} */ { seat, x, y, turn }) {
    const transform = `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${turn.toFixed(1)})`;
    const cell = svg("path", { role: "gridcell", transform, tabindex: -1, "data-seat": seat.seatId });
    this.#cells.set(seat.seatId, cell);
    this.#paint(cell, seat.seatId);
    return cell;
  }

  #paint(/** @type {SVGElement} */ cell, /** @type {string} */ id) {
    const state = this.sale.stateOf(id);
    const seat = /** @type {import("./api.js").Seat} */ (this.sale.seats.get(id));
    cell.setAttribute("class", `seat ${state} tier-${tier(this.hall.prices, seat.price)}`);
    cell.setAttribute("d", SHAPES[state]);
    cell.setAttribute("aria-label", this.label(id));
    cell.setAttribute("aria-selected", String(state === "picked"));
    if (state === "held" || state === "sold") cell.setAttribute("aria-disabled", "true");
    else cell.removeAttribute("aria-disabled");
  }

  #stage() {
    const { width, bend, stage } = this.hall;
    const half = Math.max(Math.min(width * 0.27, 340), 110);
    const low = stage + bend(half);
    const middle = 2 * stage - low; // the control point of a curve that touches `stage` in the middle
    const outline = `M${-half} ${low}Q0 ${middle} ${half} ${low}L${half * 0.86} 16Q0 4 ${-half * 0.86} 16Z`;
    const title = svg("text", { x: 0, y: stage / 2 + 9, class: "stage-name" }, "STAGE");
    return svg("g", { "aria-hidden": "true" }, svg("path", { class: "stage", d: outline }), title);
  }

  /** Every fifth seat number, before the first row. */
  #numbers() {
    const spots = this.hall.rows[0]?.spots ?? [];
    const shown = spots.filter(({ seat }) => seat.number === 1 || seat.number % 5 === 0);
    return shown.map(({ seat, x, y }) => named(String(seat.number), x, y - PITCH * 0.85, "name number"));
  }

  #zones() {
    const { zones, prices, front, width, bend } = this.hall;
    const x = width / 2 - PITCH * 1.1;
    const end = front + bend(x - PITCH * 1.9);
    return zones.flatMap(({ price, from, to }) => {
      const [top, bottom] = [end + (from - 0.36) * PITCH, end + (to + 0.36) * PITCH];
      const middle = `translate(${x + 13} ${(top + bottom) / 2}) rotate(90)`;
      const line = svg("path", { class: `zone tier-${tier(prices, price)}`, d: `M${x} ${top}V${bottom}`, "aria-hidden": "true" });
      const text = money(price, this.sale.currency);
      return to - from < 2 ? [line] : [line, svg("text", { class: "name price", transform: middle, "aria-hidden": "true" }, text)];
    });
  }
}

/** The row's name at both of its ends, and in every gap that is wide enough. */
function namesOf(/** @type {import("./geometry.js").Row} */ { name, spots }) {
  const [first, last] = [spots[0], spots[spots.length - 1]];
  const gaps = spots.slice(1).map((spot, index) => ({ from: spots[index], to: spot }));
  const aisles = gaps.filter(({ from, to }) => to.x - from.x > 1.9 * PITCH && to.x - from.x < 2.5 * PITCH);
  return [
    named(name, first.x - PITCH * 1.15, first.y),
    ...aisles.map(({ from, to }) => named(name, (from.x + to.x) / 2, (from.y + to.y) / 2)),
    named(name, last.x + PITCH * 1.15, last.y),
  ];
}

const named = (/** @type {string} */ text, /** @type {number} */ x, /** @type {number} */ y, kind = "name") =>
  svg("text", { class: kind, x: x.toFixed(1), y: y.toFixed(1), "aria-hidden": "true" }, text);

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
