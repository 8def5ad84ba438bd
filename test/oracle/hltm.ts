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
