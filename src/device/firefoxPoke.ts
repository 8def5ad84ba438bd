/**
 * Workaround: Firefox notices finished GPU work in polls of 100 ms, unless something is submitted meanwhile.
 *
 * Bug:      https://bugzilla.mozilla.org/show_bug.cgi?id=1870699 ("Don't poll WebGPU from a timer"): the process that drives the GPU looks
 *           for completed work when a command reaches it, and otherwise every POLL_TIME_MS = 100 (dom/webgpu/ipc/WebGPUParent.cpp).
 *           Reported with measurements in https://github.com/gfx-rs/wgpu/issues/6660 and https://github.com/ekzhang/jax-js/pull/124.
 * Versions: reported for 135 (2024) and later, seen in 153 ESR on Linux.
 * Remedy:   while the host waits for the GPU, it submits an empty list every few milliseconds. That reaches the driver's queue, which is
 *           then polled; it creates no object, writes no buffer and runs nothing on the GPU.
 * Measured: on lavapipe (software), Firefox 153 ESR, two busy cores: waiting for an idle queue 100 ms → 0.4 ms; `linear-synthetic`
 *           9 steps/s → 760 (100 ms is longer than a submit aims at, so that without it the steps per submit sink to one).
 * Remove:   when the bug is fixed and the oldest Firefox that is supported has the fix: `npm run test:firefox` measures the wait without
 *           the workaround and fails when it has become short.
 */

/** Between two pokes: Firefox's own floor for nested timers, so that a shorter time would gain nothing. */
const POKE_MS = 4;

/** True in the browsers that poll. Other browsers on Gecko carry the same token; Chromium and WebKit never do. */
export function pollsSlowly(userAgent: string): boolean {
  return /\bFirefox\/\d/.test(userAgent);
}

/** Submits nothing, again and again, while at least one wait is pending. */
export class Poke {
  readonly #queue: Pick<GPUQueue, "submit">;
  #waits = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(queue: Pick<GPUQueue, "submit">) {
    this.#queue = queue;
  }

  begin(): void {
    if (++this.#waits <= 0) return;
    this.#timer ??= setTimeout(this.#poke, 0);
  }

  end(): void {
    this.#waits--;
    if (this.#waits > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The device is gone: nothing that is pending needs a poke any more. */
  stop(): void {
    this.#waits = Number.NEGATIVE_INFINITY;
    this.end();
  }

  readonly #poke = (): void => {
    this.#queue.submit([]);
    this.#timer = setTimeout(this.#poke, POKE_MS);
  };
}
