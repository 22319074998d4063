/** Words about what went wrong, until they are put away or something else was done. */

import { byId, el } from "./dom.js";

/** Show it. One of each `kind` at a time: "refusal", of what the customer did; "trouble", of the service. */
export function notice(/** @type {string} */ text, kind = "refusal") {
  const before = shown(kind);
  if (before?.firstChild?.textContent === text) return;
  const away = el("button", { class: "quiet small", "aria-label": "Put this message away", onclick: () => quiet(kind) }, "×");
  const box = el("div", { class: "notice", "data-kind": kind }, el("p", {}, text), away);
  if (before) before.replaceWith(box);
  else byId("notice").append(box);
}

/** Nothing of this kind is wrong (any more). */
export function quiet(/** @type {string} */ kind) {
  shown(kind)?.remove();
}

/** @returns {HTMLElement | null} */
const shown = (/** @type {string} */ kind) => byId("notice").querySelector(`[data-kind="${kind}"]`);
