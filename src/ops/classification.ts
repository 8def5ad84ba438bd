/** What classifiers on top of features need: rows chosen by index, and softmax cross-entropy. */
import { ceilDiv } from "../kernels/grid.ts";
import { gatherRows, softmaxCrossEntropy } from "../kernels/library.ts";
import {
  elementCount,
  type OpDefinition,
  type Operand,
  operand,
  requireF32,
  requireInputs,
  shapeError,
  type Target,
} from "./opDefinition.ts";
import { sumCall } from "./sslNormalize.ts";

/** Inputs: x [rows, ..], f32 or u32; indices u32[n], below x's rows. Output [n, ..]. */
export const gatherRowsOp: OpDefinition<Record<never, never>> = {
  name: "gatherRows",
  infer(inputs) {
    requireInputs("gatherRows", inputs, 2);
    const [x, indices] = [operand(inputs, 0), operand(inputs, 1)];
    if (indices.dtype !== "u32" || indices.shape.length !== 1) {
      throw shapeError("gatherRows", inputs, "the indices are no u32 vector", "Pass u32 indices [n].");
    }
    return [{ shape: [...indices.shape, ...x.shape.slice(1)], dtype: x.dtype }];
  },
  flops: () => 0,
  lower({ inputs }) {
    const rows = elementCount(operand(inputs, 1).shape);
    const columns = elementCount(operand(inputs, 0).shape.slice(1));
    return [
      {
        kernel: gatherRows,
        knobs: {},
        params: { rows, columns },
        bindings: {
          x: { kind: "input", index: 0 },
          indices: { kind: "input", index: 1 },
          y: { kind: "output", index: 0 },
        },
      },
    ];
  },
};

/** A row to one invocation where barriers are dear, elsewhere to as many as have four logits each, at most 32. */
export function softmaxKnobs(columns: number, target: Target): { readonly WG: number; readonly LANES: number } {
  if (target.isSoftware) return { WG: 16, LANES: 1 };
  return { WG: 64, LANES: Math.min(32, 2 ** Math.floor(Math.log2(Math.max(1, ceilDiv(columns, 4))))) };
}

/** Inputs: logits [rows, classes], labels u32[rows]. Outputs: mean loss [1]; its derivative by the logits times rows, [rows, classes]. */
export const softmaxCrossEntropyOp: OpDefinition<Record<never, never>> = {
  name: "softmaxCrossEntropy",
  infer(inputs) {
    requireInputs("softmaxCrossEntropy", inputs, 2);
    const [logits, labels] = [operand(inputs, 0), operand(inputs, 1)];
    requireF32("softmaxCrossEntropy", [logits]);
    if (logits.shape.length !== 2 || labels.dtype !== "u32" || labels.shape.join() !== `${logits.shape[0]}`) {
      throw shapeError(
        "softmaxCrossEntropy",
        inputs,
        "needs logits [rows, classes] and u32 labels [rows]",
        "Give every row of logits one label.",
      );
    }
    return [{ shape: [1], dtype: "f32" }, logits];
  },
  flops: (inputs) => 25 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, target }) {
    const [rows = 1, columns = 1] = operand(inputs, 0).shape;
    const terms: Operand = { kind: "scratch", name: "terms", elements: rows };
    return [
      {
        kernel: softmaxCrossEntropy,
        knobs: softmaxKnobs(columns, target),
        params: { rows, columns },
        bindings: {
          logits: { kind: "input", index: 0 },
          labels: { kind: "input", index: 1 },
          terms,
          residual: { kind: "output", index: 1 },
        },
      },
      sumCall(terms, rows, 1 / rows),
    ];
  },
};
