/** How large the hall is shown: fitted at first, then as the customer likes, by buttons, wheel or two fingers. */

const MOST = 2.4;
const STEP = 1.4;
/** Below so many pixels to a seat a finger covers several. */
const FINGER = 22;
/** What is to be seen is not put at the very edge. */
const MARGIN = 48;

export class HallZoom {
  #scale = 1;
  #root = /** @type {SVGElement | null} */ (null);
  #size = { width: 1, height: 1 };
  #fingers = 0;

  /** @param {HTMLElement} scroll  what the hall is moved in */
  constructor(scroll) {
    this.scroll = scroll;
    scroll.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    scroll.addEventListener("touchstart", (event) => (this.#fingers = spread(event)));
    scroll.addEventListener("touchmove", (event) => this.#pinch(event), { passive: false });
    new ResizeObserver(() => this.#root && this.#set(this.#scale)).observe(scroll);
  }

  /** Show the whole of this hall. */
  show(/** @type {SVGElement} */ root, /** @type {{width: number, height: number}} */ size) {
    this.#root = root;
    this.#size = size;
    const wide = Math.min(this.scroll.clientWidth / size.width, 1.35);
    const whole = this.scroll.clientHeight / size.height;
    this.#set(Math.min(wide, whole));
    this.scroll.scrollTo((this.scroll.scrollWidth - this.scroll.clientWidth) / 2, 0);
  }

  larger = () => this.#around(this.#scale * STEP);
  smaller = () => this.#around(this.#scale / STEP);
  whole = () => this.#around(0);

  /** Whether a finger there meant no seat in particular: then what is there is shown larger. */
  tooSmall(/** @type {number} */ clientX, /** @type {number} */ clientY, /** @type {number} */ pitch) {
    if (this.#scale * pitch >= FINGER) return false;
    this.#around((FINGER + 6) / pitch, clientX, clientY, true);
    return true;
  }

  /** Bring the first of these parts of the hall into sight, unless one of them is. */
  reveal(/** @type {Element[]} */ parts) {
    const box = this.scroll.getBoundingClientRect();
    const ways = parts.map((part) => {
      const at = part.getBoundingClientRect();
      return { x: missing(at.left, at.right, box.left, box.right), y: missing(at.top, at.bottom, box.top, box.bottom) };
    });
    if (ways.length && ways.every(({ x, y }) => x || y)) this.scroll.scrollBy(ways[0].x, ways[0].y);
  }

  #least() {
    const { clientWidth, clientHeight } = this.scroll;
    return Math.min(clientWidth / this.#size.width, clientHeight / this.#size.height, 1);
  }

  #set(/** @type {number} */ scale) {
    this.#scale = Math.max(this.#least(), Math.min(MOST, scale));
    this.#root?.setAttribute("width", String(Math.floor(this.#size.width * this.#scale)));
    this.#root?.setAttribute("height", String(Math.floor(this.#size.height * this.#scale)));
  }

  /** What is at that point of the window stays there, or comes to the middle; without a point: the middle stays. */
  #around(/** @type {number} */ scale, clientX = NaN, clientY = NaN, toMiddle = false) {
    const { scroll } = this;
    const box = scroll.getBoundingClientRect();
    const middle = { x: scroll.clientWidth / 2, y: scroll.clientHeight / 2 };
    const at = Number.isNaN(clientX) ? middle : { x: clientX - box.x, y: clientY - box.y };
    const shown = this.#root?.getBoundingClientRect() ?? box;
    const part = { x: (at.x + box.x - shown.x) / shown.width, y: (at.y + box.y - shown.y) / shown.height };
    this.#set(scale);
    const after = this.#root?.getBoundingClientRect() ?? box;
    const goal = toMiddle ? middle : at;
    scroll.scrollBy(after.x - box.x + part.x * after.width - goal.x, after.y - box.y + part.y * after.height - goal.y);
  }

  #wheel(/** @type {WheelEvent} */ event) {
    if (!event.ctrlKey) return; // a wheel alone scrolls
    event.preventDefault();
    this.#around(this.#scale * Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
  }

  #pinch(/** @type {TouchEvent} */ event) {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    const apart = spread(event);
    const [a, b] = event.touches;
    if (this.#fingers) this.#around((this.#scale * apart) / this.#fingers, (a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2);
    this.#fingers = apart;
  }
}

/** How far to move so that from..to is within first..last, MARGIN away from the ends. */
function missing(/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ first, /** @type {number} */ last) {
  return Math.min(0, from - MARGIN - first) || Math.max(0, to + MARGIN - last);
}

function spread(/** @type {TouchEvent} */ { touches }) {
  return touches.length === 2 ? Math.hypot(touches[0].clientX - touches[1].clientX, touches[0].clientY - touches[1].clientY) : 0;
}
