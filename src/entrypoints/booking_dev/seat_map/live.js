/** What a screen reader is told besides: few sentences, and never every second. */

import { byId } from "./dom.js";

let queued = 0;

/** Said politely. A sentence that is the same as the last one is said again. */
export function say(/** @type {string} */ text) {
  const live = byId("live");
  live.textContent = "";
  cancelAnimationFrame(queued);
  queued = requestAnimationFrame(() => (live.textContent = text));
}
