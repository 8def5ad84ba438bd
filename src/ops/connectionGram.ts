/** Inner products of connections K_i = f_i ⊗ J_iᵀ from those of their factors. */
import { connectionGram } from "../kernels/library.ts";
import { elementCount, type OpDefinition, operand, requireF32, requireInputs, shapeError } from "./opDefinition.ts";

/**
 * Inputs: jj [outputs·samples, outputs·samples], inner products of the rows of all Jacobians, output by output; ff [samples, samples],
 * inner products of the layer's inputs. Output: ⟨K_i^o, K_j^p⟩ in the order of jj.
 */
export const connectionGramOp: OpDefinition<Record<never, never>> = {
  name: "connectionGram",
  infer(inputs) {
    requireInputs("connectionGram", inputs, 2);
    requireF32("connectionGram", inputs);
    const [jj, ff] = [operand(inputs, 0), operand(inputs, 1)];
    const [order = 0, columns] = jj.shape;
    const [samples = 1, others] = ff.shape;
    const areSquare = jj.shape.length === 2 && columns === order && ff.shape.length === 2 && others === samples;
    if (!areSquare || order % samples !== 0) {
      throw shapeError(
        "connectionGram",
        inputs,
        "needs [outputs·samples, outputs·samples] and [samples, samples]",
        "Pass the Gram matrices of the Jacobians' rows and of the layer's inputs, of the same samples.",
      );
    }
    return [{ shape: jj.shape, dtype: "f32" }];
  },
  flops: (_inputs, outputs) => elementCount(operand(outputs, 0).shape),
  lower({ inputs }) {
    const samples = operand(operand(inputs, 1).shape, 0);
    return [
      {
        kernel: connectionGram,
        knobs: {},
        params: { outputs: operand(operand(inputs, 0).shape, 0) / samples, samples },
        bindings: {
          jj: { kind: "input", index: 0 },
          ff: { kind: "input", index: 1 },
          y: { kind: "output", index: 0 },
        },
      },
    ];
  },
};
