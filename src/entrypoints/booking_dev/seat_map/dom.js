/** Making elements without markup in texts: whatever a name or an event contains is shown, never run. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | null} Child  A text becomes a text node; null is left out. */

/**
 * @param {Element} element
 * @param {Record<string, unknown>} attributes  `onclick` and the like are listeners; false, null, undefined: left out
 * @param {Child[]} children
 */
function dressed(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An HTML element. @returns {HTMLElement} */
export function el(/** @type {string} */ tag, attributes = {}, /** @type {Child[]} */ ...children) {
  return /** @type {HTMLElement} */ (dressed(document.createElement(tag), attributes, children));
}

/** An SVG element. @returns {SVGElement} */
export function svg(/** @type {string} */ tag, attributes = {}, /** @type {Child[]} */ ...children) {
  return /** @type {SVGElement} */ (dressed(document.createElementNS(SVG, tag), attributes, children));
}

/** The element with that id, which is in the page. @returns {any} */
export const byId = (/** @type {string} */ id) => document.getElementById(id);

/**
 * New content for a part of the page. Whoever stood on a button of the old content stands on the button of the same
 * `data-key` in the new one, or else on its heading, never on nothing.
 */
export function refill(/** @type {HTMLElement} */ part, /** @type {Child[]} */ ...children) {
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const stoodHere = before !== null && part.contains(before);
  const key = stoodHere ? before.dataset.key : undefined;
  part.replaceChildren(...children.filter((child) => child !== null));
  if (!stoodHere) return;
  const same = key && part.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const next = /** @type {HTMLElement | null} */ (same || part.querySelector("h2"));
  next?.focus({ preventScroll: Boolean(same) });
}

/** A heading that can be told to take the focus. */
export const heading = (/** @type {string} */ id, /** @type {string} */ text) => el("h2", { id, tabindex: -1 }, text);
