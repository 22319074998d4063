/** Everything that is said in words: money, times, seats, and what the API's codes mean to a customer. */

/** `45.00 EUR`, with as many decimals as the currency has. */
export function money(/** @type {number} */ amount, /** @type {string} */ currency) {
  return `${amount.toFixed(decimals(currency))} ${currency}`;
}

/** @type {Map<string, number>} */
const known = new Map();

function decimals(/** @type {string} */ currency) {
  let digits = known.get(currency);
  if (digits === undefined) {
    digits = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
    known.set(currency, digits);
  }
  return digits;
}

const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** `Thu, 3 Dec 2026, 19:30`, where the reader is. */
export const when = (/** @type {string} */ moment) => `${DAY.format(new Date(moment))}, ${clock(moment)}`;
export const clock = (/** @type {string} */ moment) => CLOCK.format(new Date(moment));

export const count = (/** @type {number} */ many, /** @type {string} */ one) =>
  `${many.toLocaleString("en")} ${one}${many === 1 ? "" : "s"}`;

export const place = (/** @type {{row: string, number: number}} */ seat) => `Row ${seat.row}, seat ${seat.number}`;

const PLACES = new Intl.Collator("en", { numeric: true });

/** By row and number; neighbours of one price together. @template {{row: string, number: number, price: number}} S @param {S[]} seats */
export function runs(seats) {
  /** @type {S[][]} */
  const found = [];
  for (const seat of [...seats].sort((a, b) => PLACES.compare(a.row, b.row) || a.number - b.number)) {
    const last = found.at(-1)?.at(-1);
    const next = last?.row === seat.row && last.number + 1 === seat.number && last.price === seat.price;
    if (next) found.at(-1)?.push(seat);
    else found.push([seat]);
  }
  return found;
}

/** Row A, seats 3 and 4; Row A, seats 3 to 5 */
export function row(/** @type {{row: string, number: number}[]} */ run) {
  const [first, last] = [run[0], run[run.length - 1]];
  if (run.length === 1) return place(first);
  return `Row ${first.row}, seats ${first.number} ${run.length === 2 ? "and" : "to"} ${last.number}`;
}

/** At most three by name: "Row A, seat 1; Row A, seat 2; and 4 more". */
export function places(/** @type {{row: string, number: number}[]} */ seats) {
  const named = seats.slice(0, seats.length > 3 ? 2 : 3).map(place);
  return seats.length > 3 ? [...named, `and ${seats.length - 2} more`].join("; ") : named.join("; ");
}

/** What a seat on the map is, by its state in the sale. */
export const STATES = {
  free: "available",
  picked: "picked by you",
  mine: "booked by you",
  held: "held by somebody else",
  sold: "sold",
};

/** What stands on a booking, by status. */
export const STATUSES = {
  PENDING: "Held",
  PROCESSING: "Being paid",
  CONFIRMED: "Confirmed",
  CANCELLED: "Cancelled",
};

/** What stands above a booking that is over, by `cancellationReason`. @type {Record<string, string>} */
export const ENDS = { EXPIRED: "Too late", PAYMENT_FAILED: "Payment failed", EVENT_CANCELLED: "Event called off" };

/** Why a booking ended, by `cancellationReason`. */
export const ENDINGS = {
  EXPIRED: "The time to pay is over, and the seats are back on sale.",
  PAYMENT_FAILED: "The payment failed, and the seats are back on sale.",
  USER_CANCELLED: "You gave the seats back.",
  EVENT_CANCELLED: "The event was called off.",
};

/** Why money goes back, by the `reason` of a refund. */
export const REFUNDS = {
  USER_CANCELLED: "you cancelled in time",
  EVENT_CANCELLED: "the event was called off",
  LATE_PAYMENT: "the payment came too late",
  DUPLICATE_PAYMENT: "it was paid twice",
  AMOUNT_MISMATCH: "the amount was not the price",
};

/** How far a refund is, by `status`. */
export const REFUND_STATES = { REQUESTED: "on its way", COMPLETED: "paid back", FAILED: "failed: please ask for it" };

/** @type {Record<string, string>} */
const REFUSALS = {
  TOO_MANY_SEATS: "Ten seats are the most for one booking.",
  SEAT_ALREADY_RESERVED: "Somebody was quicker.",
  PENDING_LIMIT_REACHED: "You hold as many unpaid bookings as anybody may. Pay one, or give one back, and try again.",
  EVENT_NOT_ON_SALE: "This event is not on sale any more.",
  EVENT_NOT_FOUND: "This event is not known any more.",
  SEAT_NOT_FOUND: "A seat that you picked is no longer in the hall.",
  BOOKING_NOT_FOUND: "This booking is not yours, or not known.",
  PAYMENT_IN_PROGRESS: "The payment is in progress: the booking can be cancelled once the bank has answered.",
  BOOKING_NOT_CANCELLABLE: "This booking can't be cancelled any more.",
  SERVICE_BUSY: "Very many people are booking just now, and your request was not carried out.",
  CATALOG_UNAVAILABLE: "What this event costs can't be looked up just now.",
  IDEMPOTENCY_IN_PROGRESS: "Your first try is still being worked on.",
  UNAUTHENTICATED: "The service does not know you any more.",
  NO_ANSWER: "The service does not answer. Is `booking dev` still running?",
};

/** What went wrong, for a person; what has no words here is told in the API's own. */
export function refusal(/** @type {import("./api.js").Refused} */ error) {
  const said = REFUSALS[error.code] ?? error.message;
  return error.retryAfter ? `${said} Try again in ${count(error.retryAfter, "second")}.` : said;
}
