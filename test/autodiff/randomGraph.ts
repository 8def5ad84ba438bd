/** Random graphs of [8, 8] tensors for property tests of the planner: every op keeps the shape, so any tensor may feed any op. */
import fc from "fast-check";
import { add, affine, concat, matmul, relu, slice } from "../../src/autodiff/functions.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";

export interface Step {
  readonly op: "add" | "affine" | "relu" | "matmul" | "shifted" | "stacked" | "nested";
  readonly a: number;
  readonly b: number;
}

export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    op: fc.constantFrom("add", "affine", "relu", "matmul", "shifted", "stacked", "nested") as fc.Arbitrary<Step["op"]>,
    a: fc.nat(99),
    b: fc.nat(99),
  }),
  { minLength: 3, maxLength: 14 },
);

/**
 * @returns the graph, and every tensor of shape [8, 8] in it, leaves left out. Numbers stay small: products are of rectified or halved
 * tensors. No tensor is scaled, so that fused and separate dispatches round alike.
 */
export function randomGraph(recipe: readonly Step[]): { readonly graph: Graph; readonly tensors: readonly Tensor[] } {
  const graph = new Graph();
  const all: Tensor[] = [graph.input("x", [8, 8]), graph.input("w", [8, 8])];
  const tensors: Tensor[] = [];
  for (const { op, a, b } of recipe) {
    const [left, right] = [all[a % all.length]!, all[b % all.length]!];
    const result = {
      add: () => add(left, right),
      affine: () => affine(left, 0.5, 0.25),
      relu: () => relu(left),
      matmul: () => matmul(left, right),
      // A window across the border of two tensors, at an element that no kernel but a few can start at.
      shifted: () => affine(slice(concat([left, right]), 3, 11), 0.5, -0.125),
      stacked: () => slice(concat([affine(left, 0.25, 1), right]), 8, 16),
      nested: () => slice(concat([relu(left), concat([affine(right, 0.5, 1), left])]), 8, 16),
    }[op]();
    all.push(result);
    if (!result.view) tensors.push(result);
  }
  return { graph, tensors };
}
