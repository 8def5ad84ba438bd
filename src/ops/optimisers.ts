/** Ops of the optimisers over the flat parameter buffer: norms of segments, the numbers of one update, the updates themselves. */
import { adam, momentumUpdate, optimizerFactors, segmentNorms } from "../kernels/library.ts";
import { elementCount, type OpDefinition, operand, requireInputs } from "./opDefinition.ts";

export interface SegmentNormsAttributes {
  /** ‖g + decay·p‖ in place of ‖g‖. */
  readonly isNormOfSum: boolean;
}

/** Inputs: chunks u32[chunks, 4], segments u32[segments, 8], gradients, parameters (flat); output squared norms f32[chunks, 2]. */
export const segmentNormsOp: OpDefinition<SegmentNormsAttributes> = {
  name: "segmentNorms",
  infer(inputs) {
    requireInputs("segmentNorms", inputs, 4);
    return [{ shape: [operand(inputs, 0).shape[0] ?? 1, 2], dtype: "f32" }];
  },
  flops: (inputs) => 6 * elementCount(operand(inputs, 2).shape),
  lower: ({ inputs, attributes, target }) => [
    {
      kernel: segmentNorms,
      knobs: { WG: target.isSoftware ? 16 : 64, NORM_OF_SUM: attributes.isNormOfSum },
      params: { chunks: operand(inputs, 0).shape[0] ?? 1 },
      bindings: {
        chunks: { kind: "input", index: 0 },
        segments: { kind: "input", index: 1 },
        gradients: { kind: "input", index: 2 },
        parameters: { kind: "input", index: 3 },
        partials: { kind: "output", index: 0 },
      },
    },
  ],
};

/** Codes of the rules in optimizer_factors. */
export const FACTOR_RULES = { sgd: 0, larsNormOfSum: 1, larsSumOfNorms: 2, larsClipped: 3, adam: 4 } as const;
/** Codes of the schedules there. */
export const SCHEDULE_KINDS = { constant: 0, cosine: 1, step: 2 } as const;

export interface OptimizerFactorsAttributes {
  readonly rule: keyof typeof FACTOR_RULES;
  readonly schedule: {
    readonly kind: keyof typeof SCHEDULE_KINDS;
    readonly peak: number;
    readonly start: number;
    readonly end: number;
    readonly warmup: number;
    readonly total: number;
    readonly every: number;
    readonly interval: number;
    readonly gamma: number;
  };
  /** Largest norm of all gradients together; undefined: no clipping. */
  readonly clipNorm: number | undefined;
  readonly eta: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly isDecoupled: boolean;
}

/** Inputs: step state (written when there is a schedule), segments u32[segments, 8], and partial norms where they are needed;
 *  output f32[segments, 4]. */
export const optimizerFactorsOp: OpDefinition<OptimizerFactorsAttributes> = {
  name: "optimizerFactors",
  writes: [0],
  infer(inputs) {
    requireInputs("optimizerFactors", inputs, inputs.length === 3 ? 3 : 2);
    return [{ shape: [operand(inputs, 1).shape[0] ?? 1, 4], dtype: "f32" }];
  },
  flops: (inputs) => 20 * (operand(inputs, 1).shape[0] ?? 1),
  lower({ inputs, attributes, target }) {
    const { schedule, clipNorm } = attributes;
    return [
      {
        kernel: optimizerFactors,
        knobs: {
          WG: target.isSoftware ? 16 : 64,
          SCHEDULE: SCHEDULE_KINDS[schedule.kind],
          RULE: FACTOR_RULES[attributes.rule],
          CLIP: clipNorm !== undefined,
          DECOUPLED: attributes.isDecoupled,
        },
        params: {
          segments: operand(inputs, 1).shape[0] ?? 1,
          peak: schedule.peak,
          start: schedule.start,
          end: schedule.end,
          warmup: schedule.warmup,
          total: schedule.total,
          every: schedule.every,
          interval: schedule.interval,
          log_gamma: Math.log(schedule.gamma),
          max_norm: clipNorm ?? 0,
          eta: attributes.eta,
          log_beta1: Math.log(attributes.beta1),
          log_beta2: Math.log(attributes.beta2),
        },
        bindings: {
          state: { kind: "input", index: 0 },
          segments: { kind: "input", index: 1 },
          partials: inputs.length === 3 ? { kind: "input", index: 2 } : { kind: "unused" },
          factors: { kind: "output", index: 0 },
        },
      },
    ];
  },
};

export interface MomentumUpdateAttributes {
  readonly momentum: number;
  readonly nesterov: boolean;
  /** The learning rate enters the velocity. */
  readonly isRateInside: boolean;
}

/** Inputs: factors, blocks u32[count/64], gradients, parameters (written), velocity (written with momentum only); all but two flat. */
export const momentumUpdateOp: OpDefinition<MomentumUpdateAttributes> = {
  name: "momentumUpdate",
  writes: [3, 4],
  infer(inputs) {
    requireInputs("momentumUpdate", inputs, 5);
    return [];
  },
  flops: (inputs) => 7 * elementCount(operand(inputs, 2).shape),
  lower: ({ inputs, attributes }) => [
    {
      kernel: momentumUpdate,
      knobs: {
        MOMENTUM: attributes.momentum !== 0,
        NESTEROV: attributes.nesterov,
        RATE_INSIDE: attributes.isRateInside,
      },
      params: { count: elementCount(operand(inputs, 2).shape), momentum: attributes.momentum },
      bindings: {
        factors: { kind: "input", index: 0 },
        blocks: { kind: "input", index: 1 },
        gradients: { kind: "input", index: 2 },
        parameters: { kind: "input", index: 3 },
        velocity: { kind: "input", index: 4 },
      },
    },
  ],
};

export interface AdamAttributes {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly isDecoupled: boolean;
}

/** Inputs: factors, blocks u32[count/64], gradients, parameters, first moments, second moments (the last three written). */
export const adamOp: OpDefinition<AdamAttributes> = {
  name: "adam",
  writes: [3, 4, 5],
  infer(inputs) {
    requireInputs("adam", inputs, 6);
    return [];
  },
  flops: (inputs) => 14 * elementCount(operand(inputs, 2).shape),
  lower: ({ inputs, attributes }) => [
    {
      kernel: adam,
      knobs: { DECOUPLED: attributes.isDecoupled },
      params: {
        count: elementCount(operand(inputs, 2).shape),
        beta1: attributes.beta1,
        // Taken in f64: 1 − 0.999 from the rounded 0.999 would be off by 1e-5.
        complement1: 1 - attributes.beta1,
        beta2: attributes.beta2,
        complement2: 1 - attributes.beta2,
        epsilon: attributes.epsilon,
      },
      bindings: {
        factors: { kind: "input", index: 0 },
        blocks: { kind: "input", index: 1 },
        gradients: { kind: "input", index: 2 },
        parameters: { kind: "input", index: 3 },
        first: { kind: "input", index: 4 },
        second: { kind: "input", index: 5 },
      },
    },
  ],
};
