/** Who sits at this tab, and at which booking. Each tab has a name of its own; it keeps both when it is loaded again. */

const KEY = "booking-dev-name";
const OPEN = "booking-dev-open";
const NAMES = ["alice", "bob", "carla", "dmitri", "elif", "farid", "grace", "hiro", "ines", "jonas", "kemi", "lars"];

/** The address may say (`?as=bob`); else the tab remembers; else somebody, by chance. */
export function whoAmI() {
  const asked = new URLSearchParams(location.search).get("as");
  return remember(asked || sessionStorage.getItem(KEY) || anybody());
}

export function remember(/** @type {string} */ name) {
  sessionStorage.setItem(KEY, name);
  return name;
}

/** Somebody else than `name`: the digits make sure that two tabs are two customers. */
export function anybody(name = "") {
  const others = NAMES.filter((each) => !name.startsWith(each));
  const digits = crypto.getRandomValues(new Uint32Array(1))[0].toString(36).slice(-4);
  return `${others[Math.floor(Math.random() * others.length)]}-${digits}`;
}

/** The booking that was open in this tab, if it was this customer's. @returns {string | null} */
export function openBefore(/** @type {string} */ name) {
  const [who, bookingId] = JSON.parse(sessionStorage.getItem(OPEN) ?? "[]");
  return who === name ? bookingId : null;
}

export const rememberOpen = (/** @type {string} */ name, /** @type {string | null} */ bookingId) =>
  sessionStorage.setItem(OPEN, JSON.stringify([name, bookingId]));
