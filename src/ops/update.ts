/** Ops that change persistent state in place: the optimiser's update, the step counter, the metrics ring. */
import { metricsRecord, noteNonfinite, sgd, stepAdvance } from "../kernels/library.ts";
import { elementCount, type OpDefinition, operand, requireInputs } from "./opDefinition.ts";

export interface SgdAttributes {
  readonly momentum: number;
}

/** Inputs: step state, gradients (flat), parameters (flat, written), velocity (flat, written with momentum only). */
export const sgdOp: OpDefinition<SgdAttributes> = {
  name: "sgd",
  writes: [2, 3],
  infer(inputs) {
    requireInputs("sgd", inputs, 4);
    return [];
  },
  flops: (inputs) => 4 * elementCount(operand(inputs, 1).shape),
  lower({ inputs, attributes }) {
    return [
      {
        kernel: sgd,
        knobs: { MOMENTUM: attributes.momentum !== 0 },
        params: { count: elementCount(operand(inputs, 1).shape), momentum: attributes.momentum },
        bindings: {
          state: { kind: "input", index: 0 },
          gradients: { kind: "input", index: 1 },
          parameters: { kind: "input", index: 2 },
          velocity: { kind: "input", index: 3 },
        },
      },
    ];
  },
};

/** Inputs: loss [1], step state (written). */
export const stepAdvanceOp: OpDefinition<Record<never, never>> = {
  name: "stepAdvance",
  writes: [1],
  infer(inputs) {
    requireInputs("stepAdvance", inputs, 2);
    return [];
  },
  flops: () => 1,
  lower: () => [
    {
      kernel: stepAdvance,
      knobs: {},
      params: {},
      bindings: { loss: { kind: "input", index: 0 }, state: { kind: "input", index: 1 } },
    },
  ],
};

/** Inputs: parameters (flat) as the update left them, step state (written), and, where there are any, running averages (flat). */
export const noteNonfiniteOp: OpDefinition<{ readonly hasAverages: boolean }> = {
  name: "noteNonfinite",
  writes: [1],
  infer(inputs, { hasAverages }) {
    requireInputs("noteNonfinite", inputs, 2 + Number(hasAverages));
    return [];
  },
  flops: (inputs) => elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes }) {
    const averages = attributes.hasAverages ? operand(inputs, 2) : undefined;
    return [
      {
        kernel: noteNonfinite,
        knobs: {},
        params: {
          parameter_count: elementCount(operand(inputs, 0).shape),
          average_count: averages ? elementCount(averages.shape) : 0,
        },
        bindings: {
          parameters: { kind: "input", index: 0 },
          averages: averages ? { kind: "input", index: 2 } : { kind: "unused" },
          state: { kind: "input", index: 1 },
        },
      },
    ];
  },
};

/** Inputs: loss [1], spectrum [d], metrics ring [capacity, 1 + d] (written), step state (written). */
export const metricsRecordOp: OpDefinition<Record<never, never>> = {
  name: "metricsRecord",
  writes: [2, 3],
  infer(inputs) {
    requireInputs("metricsRecord", inputs, 4);
    return [];
  },
  flops: () => 1,
  lower({ inputs }) {
    return [
      {
        kernel: metricsRecord,
        knobs: {},
        params: { d: elementCount(operand(inputs, 1).shape), capacity: operand(inputs, 2).shape[0] ?? 1 },
        bindings: {
          loss: { kind: "input", index: 0 },
          spectrum: { kind: "input", index: 1 },
          ring: { kind: "input", index: 2 },
          state: { kind: "input", index: 3 },
        },
      },
    ];
  },
};
