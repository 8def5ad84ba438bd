/**
 * Hierarchical latent tree models (HLTM): complete trees of binary variables, from which the leaves are observed. Shape, probabilities
 * and what follows from them edge by edge; no sampling, no GPU.
 *
 * Node 0 is the root; the children of node n are branching·n + 1 … branching·n + branching, so that a level is a run of nodes and
 * siblings are neighbours. *Level* counts from the leaves (0) to the root (depth). The edge above node n has index n − 1.
 *
 * Source: Tian, Yu, Chen & Ganguli 2020 (arXiv 2010.00578v6), hierarchical latent tree models.
 */
import { EngineError } from "../errors.ts";
import { checkCount, checkLength } from "./inputChecks.ts";

export interface TreeShape {
  /** Edges from the root to a leaf, at least 1. */
  readonly depth: number;
  /** Children of every node above the leaves, at least 1. */
  readonly branching: number;
}

export interface LatentTree extends TreeShape {
  /** P(z_0 = 1). */
  readonly prior: number;
  /** P(child = 1 | parent = 0), one for each edge. */
  readonly givenZero: Float64Array;
  /** P(child = 1 | parent = 1), one for each edge. */
  readonly givenOne: Float64Array;
}

/** A run of nodes. */
export interface NodeRange {
  readonly first: number;
  readonly count: number;
}

/** Nodes of a level: 0 for the leaves … depth for the root. @throws EngineError THEORY-SHAPE */
export function nodesOfLevel({ depth, branching }: TreeShape, level: number): NodeRange {
  checkCount("depth", depth, 1);
  checkCount("branching", branching, 1);
  checkCount("level", level, 0);
  const distance = depth - level;
  let first = 0;
  let count = 1;
  for (let step = 0; step < distance; step++) {
    first += count;
    count *= branching;
  }
  return { first, count };
}

/** All nodes, leaves included. */
export function nodeCount(shape: TreeShape): number {
  const { first, count } = nodesOfLevel(shape, 0);
  return first + count;
}

/** Nodes above the leaves: the latents. */
export function latentCount(shape: TreeShape): number {
  return nodesOfLevel(shape, 0).first;
}

export function parentOf({ branching }: TreeShape, node: number): number {
  return Math.floor((node - 1) / branching);
}

/** The first child of a node; its siblings follow. */
export function firstChildOf({ branching }: TreeShape, node: number): number {
  return branching * node + 1;
}

/**
 * The symmetric model: P(child = parent) = (1 + ρ)/2 with ρ the edge's *polarity*, so that P(z_n = 1) is the same function of the prior
 * for both signs.
 *
 * @param polarities ρ of every edge, in [−1, 1]
 * @param prior      P(z_0 = 1), 1/2 unless given
 * @throws EngineError THEORY-SHAPE, THEORY-POLARITY for a polarity outside [−1, 1], THEORY-PROBABILITY
 */
export function symmetricTree(shape: TreeShape, polarities: ArrayLike<number>, prior = 0.5): LatentTree {
  const edges = nodeCount(shape) - 1;
  checkLength("polarities", polarities, edges, true);
  for (let edge = 0; edge < edges; edge++) {
    const polarity = polarities[edge] as number;
    if (polarity >= -1 && polarity <= 1) continue;
    throw new EngineError({
      code: "THEORY-POLARITY",
      message: `The polarity of edge ${edge} is ${polarity}; it is a difference of two probabilities`,
      fix: "Choose polarities from -1 to 1.",
      where: `polarities[${edge}]`,
      detail: { edge, polarity: String(polarity) },
    });
  }
  return asymmetricTree(
    shape,
    Float64Array.from(polarities, (polarity) => (1 - polarity) / 2),
    Float64Array.from(polarities, (polarity) => (1 + polarity) / 2),
    prior,
  );
}

/**
 * The general model: two conditional probabilities for each edge.
 *
 * @throws EngineError THEORY-SHAPE, THEORY-PROBABILITY
 */
export function asymmetricTree(
  shape: TreeShape,
  givenZero: ArrayLike<number>,
  givenOne: ArrayLike<number>,
  prior = 0.5,
): LatentTree {
  const edges = nodeCount(shape) - 1;
  checkLength("givenZero", givenZero, edges, true);
  checkLength("givenOne", givenOne, edges, true);
  checkProbability("prior", prior);
  for (let edge = 0; edge < edges; edge++) {
    checkProbability(`givenZero[${edge}]`, givenZero[edge] as number);
    checkProbability(`givenOne[${edge}]`, givenOne[edge] as number);
  }
  const { depth, branching } = shape;
  return { depth, branching, prior, givenZero: Float64Array.from(givenZero), givenOne: Float64Array.from(givenOne) };
}

function checkProbability(name: string, value: number): void {
  if (value >= 0 && value <= 1) return;
  throw new EngineError({
    code: "THEORY-PROBABILITY",
    message: `${name} is ${value}, which is no probability`,
    fix: "Choose it from 0 to 1.",
    where: name,
    detail: { value: String(value) },
  });
}

/** ρ = P(child = 1 | parent = 1) − P(child = 1 | parent = 0) of the edge above a node other than the root. */
export function polarityAbove({ givenZero, givenOne }: LatentTree, node: number): number {
  return (givenOne[node - 1] as number) - (givenZero[node - 1] as number);
}

/** ρ_{0 n}: the product of the polarities from the root to node n, 1 for the root itself. */
export function pathPolarity(tree: LatentTree, node: number): number {
  let product = 1;
  for (let at = node; at > 0; at = parentOf(tree, at)) product *= polarityAbove(tree, at);
  return product;
}

/** P(z_n = 1) of every node. */
export function marginals(tree: LatentTree): Float64Array {
  const ones = new Float64Array(nodeCount(tree));
  ones[0] = tree.prior;
  for (let node = 1; node < ones.length; node++) {
    const above = ones[parentOf(tree, node)] as number;
    ones[node] = (1 - above) * (tree.givenZero[node - 1] as number) + above * (tree.givenOne[node - 1] as number);
  }
  return ones;
}
