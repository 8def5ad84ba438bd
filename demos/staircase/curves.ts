/** The points that are drawn: a grid of whole steps, theory on all of it, measurements on as much as has been trained. No DOM. */
import { discreteTrajectory, type LinearTheory } from "../../src/theory/index.ts";
import type { History } from "./history.ts";

/** Points of a curve; more than a panel has pixels would only cost time. */
const GRID_POINTS = 480;
/** A logarithmic axis begins at this share of the first step time: before it nothing can be seen to happen. */
const LOG_START = 0.1;

/** Whole steps from 0 (or, logarithmic, from shortly before the first step time) to `horizon`. */
export function stepGrid(horizon: number, isLog: boolean, firstStepTime: number): Uint32Array {
  const first = isLog ? Math.max(1, Math.min(Math.floor(LOG_START * firstStepTime), Math.floor(horizon / 10))) : 0;
  const points = Array.from({ length: GRID_POINTS }, (_, i) => {
    const share = i / (GRID_POINTS - 1);
    return Math.round(isLog ? first * (horizon / first) ** share : share * horizon);
  });
  return Uint32Array.from(new Set(points));
}

/** What theory says at each step of a grid. */
export interface TheoryCurves {
  /** [d][grid] */
  readonly eigenvalues: readonly Float64Array[];
  readonly loss: Float64Array;
}

/** Each mode alone under gradient descent, from its own amplitude in the initial weight (Simon et al. 2023, Prop. 4.1 discretised). */
export function theoryCurves(
  { gamma, amplitudes }: LinearTheory,
  d: number,
  learningRate: number,
  grid: Uint32Array,
): TheoryCurves {
  const last = grid.at(-1) ?? 0;
  const loss = new Float64Array(grid.length);
  const eigenvalues = Array.from({ length: d }, (_, j) => {
    const eigenvalue = gamma[j] ?? 0;
    const singularValues = discreteTrajectory(eigenvalue, Math.abs(amplitudes[j] ?? 0), learningRate, last);
    const curve = Float64Array.from(grid, (step) => eigenvalue * (singularValues[step] ?? 0) ** 2);
    for (let i = 0; i < grid.length; i++) loss[i] = (loss[i] ?? 0) + (1 - (curve[i] ?? 0)) ** 2;
    return curve;
  });
  return { eigenvalues, loss };
}

/** Measured curves on a grid, filled as the run advances; null where there is nothing yet. */
export class MeasuredCurves {
  readonly loss: (number | null)[];
  readonly eigenvalues: readonly (number | null)[][];
  readonly #grid: Uint32Array;
  #filled = 0;

  constructor(grid: Uint32Array, d: number) {
    this.#grid = grid;
    this.loss = new Array<number | null>(grid.length).fill(null);
    this.eigenvalues = Array.from({ length: d }, () => new Array<number | null>(grid.length).fill(null));
  }

  /** @returns true when a point was added */
  fill(history: History): boolean {
    const before = this.#filled;
    for (; this.#filled < this.#grid.length; this.#filled++) {
      const step = this.#grid[this.#filled] ?? 0;
      if (step >= history.count) break;
      this.loss[this.#filled] = history.loss(step);
      for (let j = 0; j < this.eigenvalues.length; j++) {
        const curve = this.eigenvalues[j];
        if (curve) curve[this.#filled] = history.eigenvalue(step, j);
      }
    }
    return this.#filled > before;
  }
}
