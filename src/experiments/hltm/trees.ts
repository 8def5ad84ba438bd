/** The trees of a cell's seeds, as theory and as the kernels sample them, and whether they fit the device. */
import { asymmetricConditionals, MAX_SEED, symmetricConditionals, treePolarities } from "../../data/index.ts";
import { EngineError } from "../../errors.ts";
import { PROBABILITY_SCALE } from "../../ops/treeSamples.ts";
import { asymmetricTree, type LatentTree, nodeCount, nodesOfLevel } from "../../theory/index.ts";
import type { HltmCell } from "./cells.ts";
import type { HltmConfig } from "./config.ts";

/** Seeds of the trials that run side by side. @throws EngineError CONFIG-SEEDS */
export function seedsOf({ seed, seeds }: HltmConfig): readonly number[] {
  if (seed + seeds - 1 > MAX_SEED) {
    throw new EngineError({
      code: "CONFIG-SEEDS",
      message: `Seeds ${seed} … ${seed + seeds - 1} go beyond ${MAX_SEED}`,
      fix: `Use --seed ${MAX_SEED - seeds + 1} or less.`,
      where: "seed",
    });
  }
  return Array.from({ length: seeds }, (_, trial) => seed + trial);
}

/** @throws EngineError CONFIG-POLARITY */
export function treesOf(config: HltmConfig, { polarity: [low, high] }: HltmCell): readonly LatentTree[] {
  const { tree } = config;
  if (!(low >= 0 && high <= 1 && low <= high)) {
    throw new EngineError({
      code: "CONFIG-POLARITY",
      message: `|ρ| is to be drawn between ${low} and ${high}; a polarity is a difference of two probabilities`,
      fix: "Give 0 ≤ low ≤ high ≤ 1, for example --set tree.polarity=[0.8,1]; signs are drawn for each edge.",
      where: "tree.polarity",
    });
  }
  const edges = nodeCount(tree) - 1;
  return seedsOf(config).map((seed) => {
    const own = tree.draw === "shared" ? config.seed : seed;
    const polarities = treePolarities({ edges, low, high, seed: own });
    const { givenZero, givenOne } =
      tree.conditionals === "symmetric" ? symmetricConditionals(polarities) : asymmetricConditionals(polarities, own);
    return asymmetricTree(tree, givenZero, givenOne, tree.prior);
  });
}

/** P(node = 1 | parent = 0, 1) of all nodes in units of 2⁻³⁰, [trees, nodes, 2]; the root's prior twice. */
export function thresholdsOf(trees: readonly LatentTree[]): Uint32Array<ArrayBuffer> {
  const values = trees.flatMap(({ prior, givenZero, givenOne }) => [
    prior,
    prior,
    ...Array.from(givenZero).flatMap((probability, edge) => [probability, givenOne[edge] as number]),
  ]);
  return Uint32Array.from(values, (probability) => Math.round(probability * PROBABILITY_SCALE));
}

/** What the device can hold of one tensor. */
export interface TreeLimits {
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
}

/** Bytes of the largest tensor of a training step: samples, or the units of a layer. */
function largestBytes({ tree, data, seeds }: HltmConfig, width: number, depth: number): number {
  const leaves = tree.branching ** depth;
  return 4 * 3 * seeds * data.batch * Math.max(leaves, (leaves / tree.branching) * width);
}

/**
 * @throws EngineError LIMIT-TREE when a tensor of a step is larger than what the device binds; it says how many leaves fit
 */
export function requireTreeFits(config: HltmConfig, { width }: HltmCell, limits: TreeLimits): void {
  const { tree, data, seeds } = config;
  const limit = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const bytes = largestBytes(config, width, tree.depth);
  if (bytes <= limit) return;
  let depth = tree.depth;
  while (depth > 0 && largestBytes(config, width, depth) > limit) depth--;
  const leaves = tree.branching ** tree.depth;
  const fits =
    depth > 0
      ? `Use --set tree.depth=${depth} (${nodesOfLevel({ ...tree, depth }, 0).count} leaves fit), fewer seeds or a smaller batch.`
      : "Use fewer seeds, a smaller batch or a smaller width.";
  throw new EngineError({
    code: "LIMIT-TREE",
    message: `A tree of depth ${tree.depth} and branching ${tree.branching} has ${leaves} leaves: with ${seeds} seeds and batches of ${data.batch} a tensor takes ${(bytes / 2 ** 20).toPrecision(4)} MiB, the device binds at most ${(limit / 2 ** 20).toPrecision(4)} MiB`,
    fix: fits,
    where: "tree.depth",
    detail: { leaves, bytes, limit, depthThatFits: depth },
  });
}
