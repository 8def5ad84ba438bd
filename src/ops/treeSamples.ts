/** Samples of latent trees by ancestral sampling on the GPU, 32 at once: functions of (seed of the trial, stream, step, view, sample) alone. */
import { EngineError } from "../errors.ts";
import { ceilDiv } from "../kernels/grid.ts";
import { treeEdges, treeValues } from "../kernels/library.ts";
import {
  elementCount,
  type KernelCall,
  type OpDefinition,
  type Operand,
  operand,
  requireInputs,
  shapeError,
  type TensorSpec,
} from "./opDefinition.ts";

/** Probabilities are whole multiples of 2⁻³⁰. */
export const PROBABILITY_SCALE = 2 ** 30;

/** Samples in a word. */
export const WORD_SAMPLES = 32;

export interface TreeSamplesAttributes {
  /** Children of a node. */
  readonly branching: number;
  /** Leaves of the tree. */
  readonly leaves: number;
  /** 1: samples alone. 2: and a positive with the same root. 3: and a negative. */
  readonly views: 1 | 2 | 3;
  /** Samples of a view, of each trial. */
  readonly rows: number;
  /** The negative's root: the other value than the sample's, or drawn anew (then half of the negatives are none). */
  readonly negatives: "opposite" | "independent";
  readonly stream: number;
  /** Also give the nodes above the leaves. */
  readonly withLatents: boolean;
}

function sizesOf(inputs: readonly TensorSpec[], { leaves, rows, views }: TreeSamplesAttributes) {
  const [trials = 0, nodes = 0] = operand(inputs, 2).shape;
  return { trials, nodes, leaves, views, rows, blocks: ceilDiv(rows, WORD_SAMPLES) };
}

/**
 * Inputs: step state, seeds u32[trials], thresholds u32[trials, nodes, 2] (P(node = 1 | parent = 0, 1)·2³⁰; the root's prior twice).
 * Outputs: leaves f32[views, trials, rows, leaves], and with `withLatents` the nodes above as words u32[views, trials, blocks, latents].
 */
export const treeSamplesOp: OpDefinition<TreeSamplesAttributes> = {
  name: "treeSamples",
  infer(inputs, attributes) {
    requireInputs("treeSamples", inputs, 3);
    const { trials, nodes, leaves, views, rows, blocks } = sizesOf(inputs, attributes);
    const shape = operand(inputs, 2).shape;
    const isWords = inputs.every(({ dtype }) => dtype === "u32");
    if (
      !isWords ||
      shape.length !== 3 ||
      shape[2] !== 2 ||
      elementCount(operand(inputs, 1).shape) !== trials ||
      leaves >= nodes
    ) {
      throw shapeError(
        "treeSamples",
        inputs,
        `needs seeds [trials] and thresholds [trials, nodes, 2] in u32, more nodes than its ${leaves} leaves`,
        "Make the thresholds of one tree for each seed.",
      );
    }
    if (16 * views * blocks * nodes > 2 ** 32) {
      throw new EngineError({
        code: "LIMIT-COUNTER",
        message: `${rows} samples of ${nodes} nodes in ${views} views need more random words than a step has`,
        fix: `Use at most ${Math.floor(2 ** 28 / views / nodes) * WORD_SAMPLES} samples a step.`,
        where: "treeSamples",
      });
    }
    const values = { shape: [views, trials, rows, leaves], dtype: "f32" } as const;
    const latents = { shape: [views, trials, blocks, nodes - leaves], dtype: "u32" } as const;
    return attributes.withLatents ? [values, latents] : [values];
  },
  // A word of 32 decisions takes four calls of threefry on average, about 150 integer operations each; the values as many as there are.
  flops(inputs, outputs, attributes) {
    const { views, trials, blocks, nodes } = sizesOf(inputs, attributes);
    return 600 * views * trials * blocks * nodes + elementCount(operand(outputs, 0).shape);
  },
  lower({ inputs, attributes, target }): KernelCall[] {
    const { trials, nodes, leaves, views, rows, blocks } = sizesOf(inputs, attributes);
    const { negatives, stream, branching, withLatents } = attributes;
    const words: Operand = { kind: "scratch", name: "words", elements: 2 * views * trials * blocks * nodes };
    const WG = target.isSoftware ? 16 : 64;
    return [
      {
        kernel: treeEdges,
        knobs: { WG, OPPOSITE: negatives === "opposite" },
        params: { views, trials, blocks, nodes, stream },
        bindings: {
          state: { kind: "input", index: 0 },
          seeds: { kind: "input", index: 1 },
          thresholds: { kind: "input", index: 2 },
          words,
        },
      },
      {
        kernel: treeValues,
        knobs: { WG, LATENTS: withLatents },
        params: { views, trials, rows, blocks, nodes, leaves, branching },
        bindings: {
          words,
          leaves: { kind: "output", index: 0 },
          latents: withLatents ? { kind: "output", index: 1 } : { kind: "unused" },
        },
      },
    ];
  },
};
