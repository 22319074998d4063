/** What the colours and the shapes mean. */

import { byId, el, svg } from "./dom.js";
import { SHAPES } from "./shapes.js";
import { money } from "./words.js";

const TAKEN = { picked: "picked", mine: "yours", held: "held", sold: "sold" };

export function showLegend(/** @type {number[]} */ prices, /** @type {string} */ currency) {
  const free = prices.map((price, tier) => entry("free", money(price, currency), tier % 6));
  const others = Object.entries(TAKEN).map(([state, text]) => entry(/** @type {keyof typeof TAKEN} */ (state), text));
  const legend = byId("legend");
  legend.replaceChildren(...free, ...others);
  legend.tabIndex = legend.scrollWidth > legend.clientWidth ? 0 : -1; // keys can scroll it where it is cut off
}

function entry(/** @type {keyof typeof SHAPES} */ state, /** @type {string} */ text, tier = 0) {
  const seat = svg("path", { class: `seat ${state} tier-${tier}`, d: SHAPES[state] });
  return el("li", {}, svg("svg", { viewBox: "-12 -12 24 24", width: 18, height: 18, "aria-hidden": "true" }, seat), text);
}
