/** Looking again and again, but not while nobody looks at the page, and never twice at once. */

const AFTER_A_FAULT_MS = 5000;

export class Polling {
  #timer = 0;
  #running = false;
  #again = false;

  /** `work` gives the ms to wait until it is done again. @param {() => Promise<number>} work */
  constructor(work) {
    this.work = work;
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
  }

  /** Do it at once; if it is being done just now, once more after that. */
  async now() {
    clearTimeout(this.#timer);
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    let wait = AFTER_A_FAULT_MS;
    try {
      while (this.#again) {
        this.#again = false;
        wait = await this.work();
      }
    } finally {
      this.#running = false;
      this.#timer = setTimeout(() => document.hidden || this.now(), wait);
    }
  }
}
