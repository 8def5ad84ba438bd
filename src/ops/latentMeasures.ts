/** What networks that mirror latent trees are measured by, on the GPU: moments with the latents, covariance operators. */
import { latentMoments, operatorNorm, rootContrast } from "../kernels/library.ts";
import { elementCount, type OpDefinition, operand, requireInputs, shapeError } from "./opDefinition.ts";
import { WORD_SAMPLES } from "./treeSamples.ts";

/** Numbers that are accumulated for a unit, in the order of shaders/hltm/latent_moments.wgsl. */
export const MOMENTS = 8;

export interface LatentMomentsAttributes {
  /** The layer's first node among the latents, and its nodes. */
  readonly first: number;
  readonly nodes: number;
  /** Dispatches whose moments are added up before they start anew. */
  readonly dispatches: number;
}

/**
 * Inputs: step state, pre-activations [1, trials, rows, nodes·units], latents u32[1, trials, rows/32, latents], moments
 * [trials, nodes·units, 8] (written).
 */
export const latentMomentsOp: OpDefinition<LatentMomentsAttributes> = {
  name: "latentMoments",
  writes: [3],
  infer(inputs, { nodes, first }) {
    requireInputs("latentMoments", inputs, 4);
    const [p, latents, moments] = [operand(inputs, 1).shape, operand(inputs, 2).shape, operand(inputs, 3).shape];
    const [, trials = 0, rows = 0, width = 0] = p;
    const fits =
      p[0] === 1 &&
      rows % WORD_SAMPLES === 0 &&
      width % nodes === 0 &&
      latents.join() === [1, trials, rows / WORD_SAMPLES, latents[3]].join() &&
      first + nodes <= (latents[3] ?? 0) &&
      moments.join() === [trials, width, MOMENTS].join();
    if (!fits) {
      throw shapeError(
        "latentMoments",
        inputs,
        `needs pre-activations [1, trials, rows, nodes·units] of ${nodes} nodes, latents [1, trials, rows/${WORD_SAMPLES}, …] and moments [trials, nodes·units, ${MOMENTS}]`,
        `Measure a multiple of ${WORD_SAMPLES} samples at once.`,
      );
    }
    return [];
  },
  flops: (inputs) => 10 * elementCount(operand(inputs, 1).shape),
  lower({ inputs, attributes, target }) {
    const [, trials = 0, rows = 0, width = 0] = operand(inputs, 1).shape;
    const { nodes, first, dispatches } = attributes;
    const latents = operand(operand(inputs, 2).shape, 3);
    return [
      {
        kernel: latentMoments,
        knobs: { WG: target.isSoftware ? 16 : 64 },
        params: { trials, rows, nodes, units: width / nodes, latents, first, dispatches },
        bindings: {
          state: { kind: "input", index: 0 },
          p: { kind: "input", index: 1 },
          latents: { kind: "input", index: 2 },
          moments: { kind: "input", index: 3 },
        },
      },
    ];
  },
};

export interface RootContrastAttributes {
  /** Outputs of the network. */
  readonly outputs: number;
}

/** Input: latents u32[1, trials, rows/32, latents]. Output: a cotangent of the outputs for each of them, [outputs, trials, rows, outputs]. */
export const rootContrastOp: OpDefinition<RootContrastAttributes> = {
  name: "rootContrast",
  infer(inputs, { outputs }) {
    requireInputs("rootContrast", inputs, 1);
    const [, trials = 0, blocks = 0] = operand(inputs, 0).shape;
    return [{ shape: [outputs, trials, blocks * WORD_SAMPLES, outputs], dtype: "f32" }];
  },
  flops: (_inputs, outputs) => elementCount(operand(outputs, 0).shape),
  lower({ inputs, attributes, target }) {
    const [, trials = 0, blocks = 0, latents = 0] = operand(inputs, 0).shape;
    return [
      {
        kernel: rootContrast,
        knobs: { WG: target.isSoftware ? 16 : 64 },
        params: { trials, rows: blocks * WORD_SAMPLES, latents, outputs: attributes.outputs },
        bindings: { latents: { kind: "input", index: 0 }, y: { kind: "output", index: 0 } },
      },
    ];
  },
};

export interface OperatorNormAttributes {
  /** Shape of the layer's weights, [trials, nodes, fan_out, fan_in + 1]. */
  readonly weights: readonly [number, number, number, number];
}

/** Input: M [columns, padded weights]; output: ‖M Mᵀ‖_F of every node, [trials, nodes]. */
export const operatorNormOp: OpDefinition<OperatorNormAttributes> = {
  name: "operatorNorm",
  infer(inputs, { weights }) {
    requireInputs("operatorNorm", inputs, 1);
    const { shape } = operand(inputs, 0);
    if (shape.length !== 2 || (shape[1] ?? 0) < elementCount(weights)) {
      throw shapeError(
        "operatorNorm",
        inputs,
        `needs rows of at least ${elementCount(weights)} weights`,
        "Pass the cotangents of the weights, each view's apart.",
      );
    }
    return [{ shape: weights.slice(0, 2), dtype: "f32" }];
  },
  flops: (inputs, _outputs, { weights: [trials, nodes, fanOut, fanIn] }) =>
    2 * trials * nodes * operand(operand(inputs, 0).shape, 0) ** 2 * fanOut * fanIn,
  lower({ inputs, attributes, target }) {
    const [trials, nodes, fanOut, columnsWithBias] = attributes.weights;
    const [columns = 0, slice = 0] = operand(inputs, 0).shape;
    return [
      {
        kernel: operatorNorm,
        knobs: { WG: target.isSoftware ? 4 : 64 },
        params: { columns, slice, cells: trials * nodes, fan_in: columnsWithBias - 1, fan_out: fanOut },
        bindings: { m: { kind: "input", index: 0 }, y: { kind: "output", index: 0 } },
      },
    ];
  },
};
