/** Reference of shaders/hltm: trees sampled one sample, one node and one random bit at a time. */
import { threefry } from "./random.ts";

export interface TreeSampling {
  readonly views: number;
  readonly trials: number;
  readonly rows: number;
  readonly depth: number;
  readonly branching: number;
  readonly opposite: boolean;
  readonly stream: number;
  readonly step: number;
  readonly seeds: readonly number[];
  /** [trials, nodes, 2] multiples of 2⁻³⁰. */
  readonly thresholds: ArrayLike<number>;
}

/** Values of all nodes, [views, trials, rows, nodes], nodes in breadth-first order. */
export function sampleTrees(sampling: TreeSampling): Uint8Array {
  const { views, trials, rows, depth, branching } = sampling;
  let nodes = 0;
  for (let level = 0; level <= depth; level++) nodes += branching ** level;
  const values = new Uint8Array(views * trials * rows * nodes);
  for (let view = 0; view < views; view++) {
    for (let trial = 0; trial < trials; trial++) {
      for (let row = 0; row < rows; row++) {
        const base = ((view * trials + trial) * rows + row) * nodes;
        for (let node = 0; node < nodes; node++) {
          const parent = node === 0 ? 0 : values[base + Math.floor((node - 1) / branching)]!;
          const rootView = node === 0 && (sampling.opposite || view === 1) ? 0 : view;
          const drawn = uniform30(sampling, { nodes, view: rootView, trial, row, node });
          let value = drawn < sampling.thresholds[(trial * nodes + node) * 2 + parent]! ? 1 : 0;
          if (node === 0 && sampling.opposite && view === 2) value = 1 - value;
          values[base + node] = value;
        }
      }
    }
  }
  return values;
}

interface Place {
  readonly nodes: number;
  readonly view: number;
  readonly trial: number;
  readonly row: number;
  readonly node: number;
}

/** The 30-bit number of a sample at a node: bit row mod 32 of thirty words, the first word the highest digit. */
function uniform30({ rows, seeds, stream, step }: TreeSampling, { nodes, view, trial, row, node }: Place): number {
  const blocks = Math.ceil(rows / 32);
  const counter = ((view * blocks + Math.floor(row / 32)) * nodes + node) * 16;
  let drawn = 0;
  for (let pair = 0; pair < 15; pair++) {
    for (const word of threefry([seeds[trial]!, stream], [step, counter + pair])) {
      drawn = 2 * drawn + (Math.floor(word / 2 ** (row % 32)) % 2);
    }
  }
  return drawn;
}

export interface MomentsShape {
  readonly trials: number;
  readonly rows: number;
  readonly nodes: number;
  readonly units: number;
}

/**
 * Sums over rows of d = p − c, d², z·d, a, z·a and z, a = max(p, 0), for every unit, [trials, nodes·units, 6], and of their magnitudes.
 *
 * @param latent value of a node's latent in a row of a trial
 */
export function latentSums(
  p: ArrayLike<number>,
  centers: ArrayLike<number>,
  { trials, rows, nodes, units }: MomentsShape,
  latent: (trial: number, row: number, node: number) => number,
): { sums: Float64Array; scale: Float64Array } {
  const width = nodes * units;
  const sums = new Float64Array(trials * width * 6);
  const scale = new Float64Array(sums.length);
  for (let trial = 0; trial < trials; trial++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < width; column++) {
        const unit = trial * width + column;
        const value = p[(trial * rows + row) * width + column]!;
        const z = latent(trial, row, Math.floor(column / units));
        const d = value - centers[unit]!;
        const a = Math.max(value, 0);
        [d, d * d, z * d, a, z * a, z].forEach((term, i) => {
          sums[unit * 6 + i]! += term;
          scale[unit * 6 + i]! += Math.abs(term);
        });
      }
    }
  }
  return { sums, scale };
}

/** δ_ko·(z_0 − mean)/rows, [outputs, trials, rows, outputs], from the roots [trials, rows]. */
export function rootContrast(roots: ArrayLike<number>, trials: number, rows: number, outputs: number): Float64Array {
  const y = new Float64Array(outputs * trials * rows * outputs);
  for (let trial = 0; trial < trials; trial++) {
    let mean = 0;
    for (let row = 0; row < rows; row++) mean += roots[trial * rows + row]! / rows;
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < outputs; k++) {
        y[((k * trials + trial) * rows + row) * outputs + k] = (roots[trial * rows + row]! - mean) / rows;
      }
    }
  }
  return y;
}

/** ‖M Mᵀ‖_F with M [length, columns] given by its columns, formed as the large matrix it is. */
export function operatorNorm(columns: readonly ArrayLike<number>[]): number {
  const length = columns[0]!.length;
  let squares = 0;
  for (let i = 0; i < length; i++) {
    for (let j = 0; j < length; j++) {
      let entry = 0;
      for (const column of columns) entry += column[i]! * column[j]!;
      squares += entry * entry;
    }
  }
  return Math.sqrt(squares);
}
