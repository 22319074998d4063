/** Where a hall's seats stand, worked out from rows and numbers alone. In units of the drawing; a seat needs PITCH. */

/** @typedef {import("./api.js").Seat} Seat */
/** @typedef {{seat: Seat, row: number, x: number, y: number, turn: number}} Spot  `turn` in degrees */
/** @typedef {{name: string, spots: Spot[]}} Row  spots from left to right */
/** @typedef {{price: number, from: number, to: number}} Zone  rows of one price that follow each other */
/** @typedef {{rows: Row[], zones: Zone[], prices: number[], width: number, height: number, bend: (x: number) => number,
 *    front: number, stage: number}} Hall  x is 0 in the middle of the hall */

export const PITCH = 24;
const SIDE = 3.6 * PITCH;
const STAGE = 66;

const NAMES = new Intl.Collator("en", { numeric: true });

/** A, B … Z, AA, AB …; 1, 2 … 10. */
function byName(/** @type {string} */ a, /** @type {string} */ b) {
  const letters = /^\p{L}+$/u;
  return (letters.test(a) && letters.test(b) && a.length - b.length) || NAMES.compare(a, b);
}

/** The first row in front. @returns {Hall} */
export function layOut(/** @type {Seat[]} */ seats) {
  /** @type {Map<string, Seat[]>} */
  const named = new Map();
  for (const seat of seats) named.set(seat.row, [...(named.get(seat.row) ?? []), seat]);
  const inOrder = [...named].sort(([a], [b]) => byName(a, b));
  for (const [, row] of inOrder) row.sort((a, b) => a.number - b.number);

  const column = columnsOf(inOrder.map(([, row]) => row));
  const columns = 1 + Math.max(0, ...inOrder.flatMap(([, row]) => row.map(column)));
  const aisles = aislesOf(columns);
  const across = (/** @type {number} */ at) => (at + aisles.filter((aisle) => at >= aisle).length) * PITCH;
  const half = across(columns - 1) / 2;
  // Rows bend around the stage: the ends are nearer to it than the middle.
  const rise = columns < 8 ? 0 : Math.min(half * 0.11, 72);
  const bend = (/** @type {number} */ x) => (half ? -rise * (x / half) ** 2 : 0);
  const turn = (/** @type {number} */ x) => (half ? (Math.atan((-2 * rise * x) / half ** 2) * 180) / Math.PI : 0);
  const front = Math.max(STAGE + 2.2 * PITCH, rise + 1.6 * PITCH);

  const rows = inOrder.map(([name, row], index) => ({
    name,
    spots: row.map((seat) => {
      const x = across(column(seat, row.indexOf(seat))) - half;
      return { seat, row: index, x, y: front + index * PITCH + bend(x), turn: turn(x) };
    }),
  }));
  const prices = [...new Set(seats.map((seat) => seat.price))].sort((a, b) => b - a);
  const height = front + Math.max(0, rows.length - 1) * PITCH + 1.8 * PITCH;
  return { rows, zones: zonesOf(rows), prices, width: 2 * (half + SIDE), height, bend, front, stage: STAGE };
}

/** By number, so that equal numbers stand behind each other; by position where numbers say nothing about places. */
function columnsOf(/** @type {Seat[][]} */ rows) {
  const numbers = rows.flatMap((row) => row.map((seat) => seat.number));
  const first = Math.min(...numbers);
  const longest = Math.max(0, ...rows.map((row) => row.length));
  const dense = Math.max(...numbers) - first < 2 * longest;
  const distinct = rows.every((row) => new Set(row.map((seat) => seat.number)).size === row.length);
  return (/** @type {Seat} */ seat, /** @type {number} */ index) => (dense && distinct ? seat.number - first : index);
}

function aislesOf(/** @type {number} */ columns) {
  if (columns < 12) return [];
  return columns < 30 ? [Math.round(columns / 2)] : [Math.round(columns / 4), Math.round((columns * 3) / 4)];
}

function zonesOf(/** @type {Row[]} */ rows) {
  /** @type {Zone[]} */
  const zones = [];
  rows.forEach((row, index) => {
    const price = row.spots[0].seat.price;
    const last = zones.at(-1);
    if (row.spots.some((spot) => spot.seat.price !== price)) return;
    if (last && last.price === price && last.to === index - 1) last.to = index;
    else zones.push({ price, from: index, to: index });
  });
  return zones;
}
