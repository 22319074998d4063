/** The page: who sits here, which event, and what is asked of the API when. */

import { Api } from "./api.js";
import { anybody, remember, whoAmI } from "./who.js";
import { byId, el } from "./dom.js";
import { Customer } from "./customer.js";
import { House } from "./house.js";
import { quiet, notice } from "./notice.js";
import { Polling } from "./polling.js";
import { refusal, when } from "./words.js";

const EVERY_MS = 1200;
/** Events change seldom: they are read at every so many looks. */
const LOOKS_TO_EVENTS = 5;
/** Of the address, before it is rewritten. */
const asked = new URLSearchParams(location.search).get("event");

const house = new House();
const customer = new Customer(house, () => polling.now());
/** @type {import("./api.js").Event[]} */
let events = [];
let looks = 0;
const polling = new Polling(look);

/** One look at the hall and at the bookings; what it learns of an answer that came before a change is dropped. */
async function look() {
  try {
    if (looks % LOOKS_TO_EVENTS === 0 || events.length === 0) await listEvents();
    looks += 1;
    await customer.look(); // before the seats: what is ours is not mistaken for somebody else's
    await house.look(customer.api);
    quiet("trouble");
    return EVERY_MS;
  } catch (error) {
    const refused = /** @type {import("./api.js").Refused} */ (error);
    if (refused.code === undefined) throw error;
    notice(refusal(refused), "trouble");
    return Math.max(EVERY_MS, refused.retryAfter * 1000);
  }
}

async function listEvents() {
  const before = JSON.stringify(events);
  events = await customer.api.events();
  if (events.length > 0 && before === JSON.stringify(events)) return;
  const select = /** @type {HTMLSelectElement} */ (byId("event"));
  const ended = (/** @type {import("./api.js").Event} */ event) => (event.status === "ON_SALE" ? "" : " – not on sale");
  select.replaceChildren(...events.map((event) => el("option", { value: event.eventId }, event.name + ended(event))));
  const open = events.find(({ eventId }) => eventId === house.event?.eventId);
  if (open) {
    select.value = open.eventId;
    return house.renew(open);
  }
  const first = events.find(({ eventId }) => eventId === asked) ?? events.find(({ status }) => status === "ON_SALE") ?? events[0];
  if (!first) return void (byId("facts").textContent = "There are no events yet.");
  select.value = first.eventId;
  house.open(first);
  note();
}

function choose(/** @type {string} */ eventId) {
  const event = events.find((each) => each.eventId === eventId);
  if (!event) return;
  byId("event").value = eventId;
  house.open(event);
  note();
  customer.show();
  polling.now();
}

function sit(/** @type {string} */ name) {
  remember(name);
  customer.become(new Api(name));
  byId("name").value = name;
  note();
}

/** The address leads here again, and tells one tab from another. */
function note() {
  const { event } = house;
  const address = (/** @type {string} */ name) => `?${new URLSearchParams({ as: name, ...(event && { event: event.eventId }) })}`;
  history.replaceState(null, "", address(customer.api.user));
  byId("another").search = address(anybody(customer.api.user));
  if (event) document.title = `${event.name} – booking dev`;
}

house.told = {
  picked: () => customer.picked(),
  drawn: () => customer.show(),
  lost: (seats) => customer.lost(seats),
  booked: (bookingId) => customer.open(bookingId),
  facts: (event, free, all) => {
    const state = event.status === "ON_SALE" ? "" : " · not on sale";
    byId("facts").textContent = `${when(event.startsAt)} · ${free.toLocaleString("en")} of ${all.toLocaleString("en")} seats left${state}`;
    byId("event-name").textContent = event.name;
  },
};
customer.eventOf = (eventId) => events.find((event) => event.eventId === eventId);
customer.goTo = (eventId) => eventId !== house.event?.eventId && choose(eventId);

byId("event").addEventListener("change", (/** @type {any} */ { target }) => choose(target.value));
byId("who").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  const name = byId("name").value.trim();
  if (name) sit(name);
  polling.now();
});
sit(whoAmI());
polling.now();
