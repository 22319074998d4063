/** Finds seats together, for those who would rather not look for them one by one. */

import { PITCH } from "./geometry.js";

/**
 * The ids of `many` free seats side by side, no aisle between them, as near to the front and the middle as there are;
 * of one price if `price` is given. None if there are none.
 * @param {import("./geometry.js").Hall} hall  @param {import("./sale.js").Sale} sale
 */
export function bestTogether(hall, sale, /** @type {number} */ many, /** @type {number | null} */ price) {
  /** @type {string[]} */
  let best = [];
  let least = Infinity;
  for (const row of hall.rows) {
    for (let start = 0; start + many <= row.spots.length; start += 1) {
      const spots = row.spots.slice(start, start + many);
      if (!together(spots) || !spots.every(({ seat }) => isFree(sale, seat.seatId, price))) continue;
      const middle = (spots[0].x + spots[many - 1].x) / 2;
      const off = spots[0].row + Math.abs(middle) / (2 * PITCH);
      if (off < least) [least, best] = [off, spots.map(({ seat }) => seat.seatId)];
    }
  }
  return best;
}

const together = (/** @type {import("./geometry.js").Spot[]} */ spots) =>
  spots.every((spot, index) => index === 0 || spot.x - spots[index - 1].x < 1.5 * PITCH);

function isFree(/** @type {import("./sale.js").Sale} */ sale, /** @type {string} */ id, /** @type {number | null} */ price) {
  const state = sale.stateOf(id);
  return (state === "free" || state === "picked") && (price === null || sale.seats.get(id)?.price === price);
}
