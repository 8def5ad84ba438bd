/** Exact expectations of a latent tree by visiting every assignment of its nodes: the reference for small trees. */
import { EngineError } from "../errors.ts";
import { type LatentTree, nodeCount, parentOf } from "./hltmTree.ts";

/** Assignments beyond 2^MAX_ENUMERATED_NODES take minutes. */
export const MAX_ENUMERATED_NODES = 22;

/**
 * Calls `visit` for every assignment of positive probability.
 *
 * @param visit values of all nodes (0 or 1, the same array in every call) and their joint probability
 * @throws EngineError THEORY-TREE-LARGE beyond 22 nodes
 */
export function enumerateTree(tree: LatentTree, visit: (values: Uint8Array, probability: number) => void): void {
  const nodes = nodeCount(tree);
  if (nodes > MAX_ENUMERATED_NODES) {
    throw new EngineError({
      code: "THEORY-TREE-LARGE",
      message: `A tree of depth ${tree.depth} and branching ${tree.branching} has ${nodes} nodes; 2^${nodes} assignments are too many to visit`,
      fix: `Use a tree of at most ${MAX_ENUMERATED_NODES} nodes, or belief propagation (beliefCeiling).`,
      where: "enumerateTree",
      detail: { nodes, limit: MAX_ENUMERATED_NODES },
    });
  }
  const values = new Uint8Array(nodes);
  const assign = (node: number, probability: number): void => {
    if (probability === 0) return;
    if (node === nodes) {
      visit(values, probability);
      return;
    }
    const one = probabilityOfOne(tree, node, values);
    for (const value of [0, 1]) {
      values[node] = value;
      assign(node + 1, probability * (value === 1 ? one : 1 - one));
    }
  };
  assign(0, 1);
}

function probabilityOfOne(tree: LatentTree, node: number, values: Uint8Array): number {
  if (node === 0) return tree.prior;
  const table = values[parentOf(tree, node)] === 1 ? tree.givenOne : tree.givenZero;
  return table[node - 1] as number;
}

/** E[f] of a vector-valued function of all nodes. */
export function expectation(tree: LatentTree, f: (values: Uint8Array) => ArrayLike<number>): Float64Array {
  let sum: Float64Array | undefined;
  enumerateTree(tree, (values, probability) => {
    const y = f(values);
    sum ??= new Float64Array(y.length);
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + probability * (y[i] as number);
  });
  return sum ?? new Float64Array(0);
}
