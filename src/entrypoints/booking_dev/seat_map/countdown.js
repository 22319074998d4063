/** The time that is left to pay: shown every second, said only at a few moments. */

import { el } from "./dom.js";
import { say } from "./live.js";
import { count } from "./words.js";

const SAID_AT = [300, 120, 60, 30, 10];
const SHORT = 60;

/** 9:05 */
const minutes = (/** @type {number} */ seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

const inWords = (/** @type {number} */ seconds) =>
  seconds % 60 === 0 ? count(seconds / 60, "minute") : count(seconds, "second");

/**
 * An element that counts down from `from` to `until` (ms, the server's clock, which is `now()`), and calls `over` once.
 * It ends by itself when it is taken out of the page.
 */
export function countdown(/** @type {{from: number, until: number, now: () => number, over: () => void}} */ { from, until, now, over }) {
  const digits = el("span", { class: "digits", role: "timer", "aria-label": "Time left to pay" });
  const bar = el("span", { class: "bar" });
  const whole = el("p", { class: "countdown" }, digits, el("span", { class: "track", "aria-hidden": "true" }, bar));
  let last = Infinity;
  const tick = () => {
    const left = Math.max(0, Math.ceil((until - now()) / 1000));
    digits.textContent = minutes(left);
    bar.style.transform = `scaleX(${Math.max(0, Math.min(1, (until - now()) / (until - from)))})`;
    whole.classList.toggle("short", left <= SHORT);
    const due = SAID_AT.find((moment) => left <= moment && last > moment);
    if (due !== undefined && last !== Infinity && left > 0) say(`${inWords(left)} left to pay.`);
    if (left === 0 && last > 0) over();
    last = left;
  };
  tick();
  const ticking = setInterval(() => (whole.isConnected ? tick() : clearInterval(ticking)), 250);
  return whole;
}

/** A text that ends with the time left until then; it ends by itself when it is taken out of the page. */
export function timeLeft(/** @type {string} */ text, /** @type {number} */ until, /** @type {() => number} */ now) {
  const shown = el("span", {});
  const tick = () => (shown.textContent = `${text} ${minutes(Math.max(0, Math.ceil((until - now()) / 1000)))}`);
  tick();
  const ticking = setInterval(() => (shown.isConnected ? tick() : clearInterval(ticking)), 1000);
  return shown;
}
