/** Every record of a run, by step, and the step times read off them so far. No DOM. */
import { measuredStepTimes } from "../../src/theory/index.ts";
import type { RecordBatch } from "./messages.ts";

export class History {
  readonly d: number;
  /** t of one step. */
  readonly timePerStep: number;
  /** When each sorted eigenvalue first reached 1/2; null until then. */
  readonly stepTimes: (number | null)[];
  #losses = new Float32Array(1024);
  #spectra: Float32Array<ArrayBuffer>;
  #count = 0;

  constructor(d: number, timePerStep: number) {
    this.d = d;
    this.timePerStep = timePerStep;
    this.stepTimes = new Array<number | null>(d).fill(null);
    this.#spectra = new Float32Array(1024 * d);
  }

  /** Records held: those of steps 0 … count − 1. */
  get count(): number {
    return this.#count;
  }

  loss(step: number): number {
    return this.#losses[step] ?? Number.NaN;
  }

  /** Eigenvalue j (from 0) of the spectrum of a step. */
  eigenvalue(step: number, j: number): number {
    return this.#spectra[step * this.d + j] ?? Number.NaN;
  }

  /** Eigenvalues at or above 1/2 in the latest record. */
  get learned(): number {
    let learned = 0;
    for (let j = 0; j < this.d; j++) if (this.#count > 0 && this.eigenvalue(this.#count - 1, j) >= 0.5) learned++;
    return learned;
  }

  /** Batches come in order, without gaps. */
  append({ firstStep, losses, spectra }: RecordBatch): void {
    if (firstStep !== this.#count) throw new Error(`record ${firstStep} came after ${this.#count} records`);
    const count = firstStep + losses.length;
    this.#reserve(count);
    this.#losses.set(losses, firstStep);
    this.#spectra.set(spectra, firstStep * this.d);
    this.#count = count;
    this.#findCrossings(Math.max(0, firstStep - 1), count);
  }

  #reserve(count: number): void {
    if (count <= this.#losses.length) return;
    const capacity = Math.max(count, 2 * this.#losses.length);
    const losses = new Float32Array(capacity);
    losses.set(this.#losses);
    const spectra = new Float32Array(capacity * this.d);
    spectra.set(this.#spectra);
    this.#losses = losses;
    this.#spectra = spectra;
  }

  /** The library's rule on the new records and the one before them. */
  #findCrossings(from: number, to: number): void {
    if (!this.stepTimes.includes(null)) return;
    const steps = Array.from({ length: to - from }, (_, index) => from + index);
    const times = steps.map((step) => step * this.timePerStep);
    const spectra = steps.map((step) => this.#spectra.subarray(step * this.d, (step + 1) * this.d));
    measuredStepTimes(times, spectra, this.d).forEach((time, j) => {
      this.stepTimes[j] ??= time;
    });
  }
}
