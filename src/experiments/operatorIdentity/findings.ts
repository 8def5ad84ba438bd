/** Residuals of an identity run, worst over all draws, as records and summary. */
import type { MetricsRecord } from "../contract.ts";
import { type Check, NUMBERS } from "./checks.ts";

/** One line of `measured.residuals`, or of `measured.controls`. */
export interface Residual extends Check {
  readonly widths: readonly number[];
  /** ‖−∇W_l − OP_l·vec(W_l)‖/‖∇W_l‖, the largest of all draws; of wrong operators the least. */
  readonly relative: number;
}

export class Findings {
  readonly #tolerance: number;
  readonly #residuals = new Map<string, Residual>();
  /** Largest of the current draw, by form. */
  readonly #current = new Map<string, number>();
  #leastWrong = Number.POSITIVE_INFINITY;
  #outputs = 0;
  /** Checks whose gradient is zero at its layer, as when all of a layer's gates are closed. */
  #vanishing = 0;

  constructor(tolerance: number) {
    this.#tolerance = tolerance;
  }

  /** @param numbers of all checks; @param outputs squared errors and norms of K_lᵀ·vec(W_l) = f_L by layer */
  add(widths: readonly number[], checks: readonly Check[], numbers: Float32Array, outputs: Float32Array): void {
    const layers = outputs.length / 2;
    const perLayer = checks.length / layers;
    checks.forEach((check, index) => {
      const own = numbers.subarray(Math.floor(index / perLayer) * NUMBERS.length * perLayer);
      const [gradient = 0, predicted = 0, difference = 0] = NUMBERS.map(
        (_, row) => own[row * perLayer + (index % perLayer)],
      );
      if (gradient === 0 && predicted === 0) {
        this.#vanishing++;
        return;
      }
      this.#note({ ...check, widths, relative: Math.sqrt(difference / gradient) });
    });
    for (let at = 0; at < outputs.length; at += 2) {
      const [error = 0, size = 0] = outputs.subarray(at);
      if (size > 0) this.#outputs = Math.max(this.#outputs, Math.sqrt(error / size));
    }
  }

  #note(found: Residual): void {
    const { relative, ...rest } = found;
    const key = JSON.stringify(rest);
    const before = this.#residuals.get(key)?.relative;
    // A NaN must not hide behind a number.
    const isWorse =
      before === undefined || Number.isNaN(relative) || (found.wrong ? relative < before : relative > before);
    if (isWorse) this.#residuals.set(key, found);
    if (found.wrong) this.#leastWrong = Math.min(this.#leastWrong, relative);
    else this.#current.set(found.form, Math.max(this.#current.get(found.form) ?? 0, relative));
  }

  /** The record of a finished draw: its largest residual as loss, and by form. */
  record(step: number): MetricsRecord {
    const forms = Object.fromEntries([...this.#current].map(([form, value]) => [`residual.${form}`, value]));
    const loss = Math.max(...this.#current.values());
    const extra = { ...forms, leastWrong: this.#leastWrong };
    this.#current.clear();
    return { step, t: step, loss, spectrum: [], extra };
  }

  /** Plain JSON for summary.json. */
  summary(): Record<string, unknown> {
    const all = [...this.#residuals.values()];
    const residuals = all.filter(({ wrong }) => wrong === undefined);
    const controls = all.filter(({ wrong }) => wrong !== undefined);
    const largest = residuals.reduce(
      (most, { relative }) => (relative > most || Number.isNaN(relative) ? relative : most),
      0,
    );
    const least = controls.reduce((low, { relative }) => Math.min(low, relative), Number.POSITIVE_INFINITY);
    return {
      tolerance: this.#tolerance,
      holds: largest <= this.#tolerance,
      largest,
      wrongOperatorsFail: least > this.#tolerance,
      leastWrong: Number.isFinite(least) ? least : null,
      outputIdentity: this.#outputs,
      vanishingGradients: this.#vanishing,
      residuals,
      controls,
    };
  }
}
