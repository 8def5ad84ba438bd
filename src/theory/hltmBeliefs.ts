/**
 * What the leaves below a latent can tell about it: posteriors by belief propagation, and the largest correlation that any function of
 * those leaves has with it. The ceiling under every learned correlation.
 *
 * The function of x that correlates best with a binary z is E[z | x], and its correlation is √(Var E[z | x] / Var z). In symmetric trees
 * with prior 1/2 the message m = 2 E[z | x] − 1 obeys m = tanh(Σ_children atanh(ρ m_child)).
 */

import { firstChildOf, type LatentTree, latentCount, marginals, nodeCount, nodesOfLevel } from "./hltmTree.ts";
import { checkCount, checkLength } from "./inputChecks.ts";

/**
 * P(z_n = 1 | leaves below n) for every node, by messages from the leaves upwards.
 *
 * @param leaves values 0 or 1, in order
 * @throws EngineError THEORY-SHAPE
 */
export function latentPosteriors(tree: LatentTree, leaves: ArrayLike<number>): Float64Array {
  const { first, count } = nodesOfLevel(tree, 0);
  checkLength("leaves", leaves, count, true);
  const ones = marginals(tree);
  const nodes = nodeCount(tree);
  // Likelihoods of the leaves below a node, given 0 and 1, up to a common factor.
  const zero = new Float64Array(nodes);
  const one = new Float64Array(nodes);
  for (let node = nodes - 1; node >= 0; node--) {
    if (node >= first) {
      one[node] = leaves[node - first] === 1 ? 1 : 0;
      zero[node] = 1 - (one[node] as number);
      continue;
    }
    let [ifZero, ifOne] = [1, 1];
    const child0 = firstChildOf(tree, node);
    for (let child = child0; child < child0 + tree.branching; child++) {
      const [below0, below1] = throughEdge(tree, child, zero[child] as number, one[child] as number);
      ifZero *= below0;
      ifOne *= below1;
    }
    // Only the ratio matters; without this, deep trees underflow.
    const larger = Math.max(ifZero, ifOne);
    zero[node] = larger > 0 ? ifZero / larger : 0;
    one[node] = larger > 0 ? ifOne / larger : 0;
  }
  return Float64Array.from({ length: nodes }, (_, node) => {
    const above = (ones[node] as number) * (one[node] as number);
    const total = above + (1 - (ones[node] as number)) * (zero[node] as number);
    return total > 0 ? above / total : (ones[node] as number);
  });
}

/** Likelihoods given the parent's value, from those given the child's. */
function throughEdge(tree: LatentTree, child: number, ifZero: number, ifOne: number): [number, number] {
  const p0 = tree.givenZero[child - 1] as number;
  const p1 = tree.givenOne[child - 1] as number;
  return [(1 - p0) * ifZero + p0 * ifOne, (1 - p1) * ifZero + p1 * ifOne];
}

/** The distribution of all that the leaves below a node say about it: outcomes with their probabilities given 0 and given 1. */
interface Evidence {
  readonly ifZero: Float64Array;
  readonly ifOne: Float64Array;
}

/** Outcomes kept of a distribution before it is combined with another. */
const DEFAULT_OUTCOMES = 2048;

/**
 * √(Var E[z_n | leaves below n] / Var z_n) for every latent n (0 where z_n is constant): the ceiling of |correlation|.
 *
 * Exact while a distribution has at most `outcomes` outcomes. Beyond, outcomes whose posteriors (at prior 1/2) lie in the same of
 * `outcomes` equal intervals are merged, which can only lower the result; a merge takes at most 1/(4·outcomes²) from the variance of a
 * posterior.
 *
 * @param options.outcomes 2048 unless given
 * @returns one number for each node above the leaves
 * @throws EngineError THEORY-SHAPE
 */
export function beliefCeiling(tree: LatentTree, options: { readonly outcomes?: number } = {}): Float64Array {
  const { outcomes = DEFAULT_OUTCOMES } = options;
  checkCount("outcomes", outcomes, 2);
  const ones = marginals(tree);
  const latents = latentCount(tree);
  const ceiling = new Float64Array(latents);
  const leaf: Evidence = { ifZero: Float64Array.of(1, 0), ifOne: Float64Array.of(0, 1) };
  const evidence = new Map<number, Evidence>();
  for (let node = latents - 1; node >= 0; node--) {
    let joint: Evidence = { ifZero: Float64Array.of(1), ifOne: Float64Array.of(1) };
    const child0 = firstChildOf(tree, node);
    for (let child = child0; child < child0 + tree.branching; child++) {
      const own = aboveEdge(tree, child, evidence.get(child) ?? leaf);
      evidence.delete(child);
      joint = independent(merged(joint, outcomes), merged(own, outcomes));
    }
    evidence.set(node, joint);
    ceiling[node] = Math.sqrt(explainedVariance(joint, ones[node] as number));
  }
  return ceiling;
}

function aboveEdge(tree: LatentTree, child: number, { ifZero, ifOne }: Evidence): Evidence {
  const pairs = Array.from(ifZero, (value, i) => throughEdge(tree, child, value, ifOne[i] as number));
  return { ifZero: Float64Array.from(pairs, ([zero]) => zero), ifOne: Float64Array.from(pairs, ([, one]) => one) };
}

/** Two pieces of evidence that are independent given the node. */
function independent(a: Evidence, b: Evidence): Evidence {
  const width = b.ifZero.length;
  const ifZero = new Float64Array(a.ifZero.length * width);
  const ifOne = new Float64Array(ifZero.length);
  for (let i = 0; i < a.ifZero.length; i++) {
    for (let j = 0; j < width; j++) {
      ifZero[i * width + j] = (a.ifZero[i] as number) * (b.ifZero[j] as number);
      ifOne[i * width + j] = (a.ifOne[i] as number) * (b.ifOne[j] as number);
    }
  }
  return { ifZero, ifOne };
}

/** At most `outcomes` outcomes: those with almost the same posterior are one. */
function merged(evidence: Evidence, outcomes: number): Evidence {
  if (evidence.ifZero.length <= outcomes) return evidence;
  const ifZero = new Float64Array(outcomes);
  const ifOne = new Float64Array(outcomes);
  for (let i = 0; i < evidence.ifZero.length; i++) {
    const zero = evidence.ifZero[i] as number;
    const one = evidence.ifOne[i] as number;
    if (zero + one === 0) continue;
    const bin = Math.min(outcomes - 1, Math.floor((one / (zero + one)) * outcomes));
    ifZero[bin] = (ifZero[bin] as number) + zero;
    ifOne[bin] = (ifOne[bin] as number) + one;
  }
  return { ifZero, ifOne };
}

/** Var E[z | outcome] / Var z. */
function explainedVariance({ ifZero, ifOne }: Evidence, prior: number): number {
  const variance = prior * (1 - prior);
  if (variance === 0) return 0;
  let between = 0;
  for (let i = 0; i < ifZero.length; i++) {
    const total = (1 - prior) * (ifZero[i] as number) + prior * (ifOne[i] as number);
    if (total === 0) continue;
    const deviation = (prior * (ifOne[i] as number)) / total - prior;
    between += total * deviation * deviation;
  }
  return Math.min(1, between / variance);
}
