/** GELU in its exact form, x·Φ(x), and its cotangent. */
import { gelu } from "../kernels/library.ts";
import { elementCount, type OpDefinition, operand, requireF32, requireInputs, shapeError } from "./opDefinition.ts";

export const geluOp: OpDefinition<Record<never, never>> = {
  name: "gelu",
  infer(inputs) {
    requireInputs("gelu", inputs, 1);
    requireF32("gelu", inputs);
    return [{ shape: operand(inputs, 0).shape, dtype: "f32" }];
  },
  flops: (inputs) => 40 * elementCount(operand(inputs, 0).shape),
  lower: ({ inputs }) => [
    {
      kernel: gelu,
      knobs: { GRADIENT: false },
      params: { count: elementCount(operand(inputs, 0).shape) },
      bindings: { x: { kind: "input", index: 0 }, d_y: { kind: "unused" }, y: { kind: "output", index: 0 } },
    },
  ],
};

/** Inputs: dY, x. Output: dX. */
export const geluGradOp: OpDefinition<Record<never, never>> = {
  name: "geluGrad",
  infer(inputs) {
    requireInputs("geluGrad", inputs, 2);
    requireF32("geluGrad", inputs);
    const [dY, x] = [operand(inputs, 0), operand(inputs, 1)];
    if (elementCount(dY.shape) !== elementCount(x.shape)) {
      throw shapeError("geluGrad", inputs, "cotangent and x differ", "Pass the cotangent of the same gelu.");
    }
    return [{ shape: x.shape, dtype: "f32" }];
  },
  flops: (inputs) => 44 * elementCount(operand(inputs, 0).shape),
  lower: ({ inputs }) => [
    {
      kernel: gelu,
      knobs: { GRADIENT: true },
      params: { count: elementCount(operand(inputs, 0).shape) },
      bindings: {
        d_y: { kind: "input", index: 0 },
        x: { kind: "input", index: 1 },
        y: { kind: "output", index: 0 },
      },
    },
  ],
};
