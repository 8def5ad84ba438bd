/** Exponential moving averages of flat buffers in place: target networks, running statistics. */
import { movingAverage } from "../kernels/library.ts";
import { elementCount, type OpDefinition, operand, requireInputs, shapeError } from "./opDefinition.ts";

export interface MovingAverageAttributes {
  /** 1 − decay: what a new value weighs. */
  readonly increment: number;
  /** Steps over which the increment falls to 0 along a half cosine; 0: constant. */
  readonly steps: number;
}

/** Inputs: values [count], averages [count] (written), and with `steps` the step state. No output. */
export const movingAverageOp: OpDefinition<MovingAverageAttributes> = {
  name: "movingAverage",
  writes: [1],
  infer(inputs, { steps }) {
    requireInputs("movingAverage", inputs, steps > 0 ? 3 : 2);
    const [values, averages] = [operand(inputs, 0), operand(inputs, 1)];
    const count = elementCount(averages.shape);
    if (elementCount(values.shape) !== count || count % 4 !== 0) {
      throw shapeError(
        "movingAverage",
        [values, averages],
        "values and averages need the same number of elements, a multiple of 4",
        "Average whole segments of the flat buffers.",
      );
    }
    return [];
  },
  flops: (inputs) => 3 * elementCount(operand(inputs, 0).shape),
  lower: ({ inputs, attributes }) => [
    {
      kernel: movingAverage,
      knobs: { SCHEDULE: attributes.steps > 0 },
      params: {
        count: elementCount(operand(inputs, 0).shape),
        increment: attributes.increment,
        steps: attributes.steps,
      },
      bindings: {
        state: attributes.steps > 0 ? { kind: "input", index: 2 } : { kind: "unused" },
        x: { kind: "input", index: 0 },
        y: { kind: "input", index: 1 },
      },
    },
  ],
};
