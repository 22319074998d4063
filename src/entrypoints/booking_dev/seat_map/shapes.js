/** How a seat looks in each state: another outline each, so that no colour has to be told from another. */

const SEAT = "M-9-5a4 4 0 0 1 4-4h10a4 4 0 0 1 4 4v8a6 6 0 0 1-6 6h-6a6 6 0 0 1-6-6z";
const LARGE = "M-11-6.5a4.5 4.5 0 0 1 4.5-4.5h13a4.5 4.5 0 0 1 4.5 4.5v10a7 7 0 0 1-7 7h-8a7 7 0 0 1-7-7z";
const HOLE = "M-6.6-4.6v7.2a4 4 0 0 0 4 4h5.2a4 4 0 0 0 4-4v-7.2a2 2 0 0 0-2-2h-9.2a2 2 0 0 0-2 2z";
const TICK = "M-6 .2l4.2 4.6 8-9.2-2.1-1.8-6 7-2.1-2.4z";
const DOT = "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z";
const CROSS = "M-6-4.4l1.6-1.6 4.4 4.4 4.4-4.4 1.6 1.6-4.4 4.4 4.4 4.4-1.6 1.6-4.4-4.4-4.4 4.4-1.6-1.6 4.4-4.4z";

/** Path data around 0,0, filled by the even-odd rule; by state. @type {Record<import("./sale.js").State, string>} */
export const SHAPES = { free: SEAT, picked: LARGE + TICK, mine: LARGE + DOT, held: SEAT + HOLE, sold: CROSS };
