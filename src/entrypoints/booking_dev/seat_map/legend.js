/** What the colours and the shapes mean. */

import { byId, el, svg } from "./dom.js";
import { SHAPES } from "./shapes.js";
import { money } from "./words.js";

const TAKEN = { picked: "picked", mine: "yours", held: "held", sold: "sold" };

export function showLegend(/** @type {number[]} */ prices, /** @type {string} */ currency) {
  const free = prices.map((price, tier) => entry("free", money(price, currency), tier % 6));
  const others = Object.entries(TAKEN).map(([state, text]) => entry(/** @type {keyof typeof TAKEN} */ (state), text));
  byId("legend").replaceChildren(...free, ...others);
}

function entry(/** @type {keyof typeof SHAPES} */ state, /** @type {string} */ text, tier = 0) {
  const seat = svg("path", { class: `seat ${state} tier-${tier}`, d: SHAPES[state] });
  return el("li", {}, svg("svg", { viewBox: "-12 -12 24 24", width: 18, height: 18, "aria-hidden": "true" }, seat), text);
}
