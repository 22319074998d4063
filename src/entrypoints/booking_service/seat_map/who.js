/** Who sits at this tab. Each tab has a name of its own, which it keeps when it is loaded again. */

const KEY = "booking-dev-name";
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

/** Somebody else than `name`. */
export function anybody(name = "") {
  const others = NAMES.filter((each) => each !== name);
  return others[Math.floor(Math.random() * others.length)];
}
