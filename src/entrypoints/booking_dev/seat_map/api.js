/** The public API and the `/dev` routes, for one customer. Every refusal is a `Refused`, also no answer at all. */

/** @typedef {{eventId: string, name: string, startsAt: string, status: string, currency: string}} Event */
/** @typedef {{seatId: string, row: string, number: number, price: number, status: string}} Seat */
/** @typedef {{amount: number, currency: string, reason: string, status: string}} Refund */
/**
 * @typedef {{bookingId: string, eventId: string, status: string, totalAmount: number, currency: string,
 *   createdAt: string, expiresAt: string, processingStartedAt?: string, ticketReference?: string,
 *   confirmedAt?: string, cancellationReason?: string, refunds?: Refund[],
 *   seats: {seatId: string, row: string, number: number, price: number}[]}} Booking
 */

/** `code` is the API's, or NO_ANSWER; `retryAfter` in seconds, 0 if the answer does not say. */
export class Refused extends Error {
  constructor(/** @type {{code: string, message: string, details?: any}} */ error, status = 0, retryAfter = 0) {
    super(error.message);
    this.code = error.code;
    this.details = error.details ?? {};
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

const NO_ANSWER = { code: "NO_ANSWER", message: "No answer" };
const PATIENCE_MS = 20_000;
/** The statuses of the compact form. @type {Record<string, string>} */
const LETTERS = { A: "AVAILABLE", H: "HELD", S: "SOLD" };

export class Api {
  #token = "";
  /** The seats that were read last in the full form. @type {{eventId: string, layout: string | null, seats: Seat[]} | null} */
  #full = null;
  /** The server's clock less ours, in ms: the largest that was seen is the one whose answer took the shortest way. */
  #offset = -Infinity;

  constructor(/** @type {string} */ user) {
    this.user = user;
  }

  /** The server's time, in ms since 1970: right within the time that an answer takes. */
  now() {
    return Date.now() + (Number.isFinite(this.#offset) ? this.#offset : 0);
  }

  /** @returns {Promise<Event[]>} */
  events = async () => (await this.#json("GET", "/api/v1/events?limit=100")).data;
  /**
   * All seats of an event. The text is compared before they are read. After the first look a letter for each seat is
   * enough, as long as rows, numbers and prices are the same; the browser sends the ETag.
   * @returns {Promise<{text: string, seats: () => Seat[]}>}
   */
  async seats(/** @type {string} */ eventId) {
    const path = `/api/v1/events/${eventId}/seats`;
    const known = this.#full;
    if (known?.eventId === eventId) {
      const text = await (await this.#call("GET", `${path}?format=compact`)).text();
      const { layout, statuses } = JSON.parse(text).data;
      const seats = () => known.seats.map((seat, place) => ({ ...seat, status: LETTERS[statuses[place]] }));
      if (layout === known.layout) return { text, seats };
    }
    const answer = await this.#call("GET", path);
    const text = await answer.text();
    const seats = JSON.parse(text).data.seats;
    this.#full = { eventId, layout: answer.headers.get("Seat-Layout"), seats };
    return { text, seats: () => seats };
  }
  /** The newest first. @returns {Promise<Booking[]>} */
  mine = async () => (await this.#json("GET", "/api/v1/bookings/my?limit=100")).data;

  /** Sent again with the same key it is the same booking. @returns {Promise<Booking>} */
  async hold(/** @type {string} */ eventId, /** @type {string[]} */ seatIds, /** @type {string} */ key) {
    const { data } = await this.#json("POST", "/api/v1/bookings", { eventId, seatIds }, { "Idempotency-Key": key });
    this.#learn(Date.parse(data.createdAt));
    return data;
  }

  /** @returns {Promise<Booking>} */
  cancel = async (/** @type {string} */ bookingId) =>
    (await this.#json("DELETE", `/api/v1/bookings/${bookingId}`)).data;

  /** What the simulated Payment Service is to say: success, failed or processing. */
  pay = (/** @type {string} */ bookingId, /** @type {string} */ outcome) =>
    this.#json("POST", "/dev/payments", { bookingId, outcome });

  /** The QR code as a picture. */
  ticket = async (/** @type {string} */ bookingId) =>
    (await this.#call("GET", `/api/v1/bookings/${bookingId}/ticket.svg`)).blob();

  async #json(/** @type {string} */ method, /** @type {string} */ path, /** @type {unknown} */ body = undefined, headers = {}) {
    return (await this.#call(method, path, body, headers)).json();
  }

  async #call(/** @type {string} */ method, /** @type {string} */ path, /** @type {unknown} */ body = undefined, headers = {}) {
    const known = this.#token !== "";
    if (!known) await this.#signIn();
    let answer = await this.#fetch(method, path, body, headers);
    if (answer.status === 401 && known) {
      await this.#signIn(); // a token is good for a day, and a tab may be open for longer
      answer = await this.#fetch(method, path, body, headers);
    }
    return accepted(answer);
  }

  async #signIn() {
    const answer = await accepted(await this.#fetch("POST", "/dev/token", { user: this.user }));
    this.#token = (await answer.json()).data.token;
  }

  async #fetch(/** @type {string} */ method, /** @type {string} */ path, /** @type {unknown} */ body = undefined, headers = {}) {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const ours = { Authorization: `Bearer ${this.#token}`, ...(sent && { "Content-Type": "application/json" }) };
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const answer = await fetch(path, { method, body: sent, headers: { ...ours, ...headers }, signal });
      this.#learn(Date.parse(answer.headers.get("Date") ?? ""));
      return answer;
    } catch {
      throw new Refused(NO_ANSWER);
    }
  }

  #learn(/** @type {number} */ serverTime) {
    if (!Number.isNaN(serverTime)) this.#offset = Math.max(this.#offset, serverTime - Date.now());
  }
}

async function accepted(/** @type {Response} */ answer) {
  if (answer.ok) return answer;
  const retryAfter = Number(answer.headers.get("Retry-After")) || 0;
  const error = await answer.json().then((body) => body.error, () => undefined);
  throw new Refused(error ?? { code: "BROKEN", message: `The service answered ${answer.status}.` }, answer.status, retryAfter);
}
