// Random edges of latent trees: how strongly each child follows its parent.

import { assertInteger, dataError } from "./dataError.ts";
import { CounterRandom, MAX_SEED, RandomStream } from "./random.ts";

export interface TreePolaritiesOptions {
  readonly edges: number;
  /** Smallest and largest |ρ|, from 0 to 1. */
  readonly low: number;
  readonly high: number;
  /** u32 */
  readonly seed: number;
}

export interface EdgeConditionals {
  /** P(child = 1 | parent = 0) of every edge. */
  readonly givenZero: Float64Array<ArrayBuffer>;
  /** P(child = 1 | parent = 1). */
  readonly givenOne: Float64Array<ArrayBuffer>;
}

/**
 * Polarities ρ = P(1 | 1) − P(1 | 0) with |ρ| uniform on [low, high] and a random sign (luckmatters/ssl/hltm). Edge e takes the uniforms
 * 3e and 3e + 1 of its stream.
 *
 * @throws EngineError DATA-OPTION
 */
export function treePolarities({ edges, low, high, seed }: TreePolaritiesOptions): Float64Array<ArrayBuffer> {
  assertInteger("treePolarities", "edges", edges, 1, 2 ** 31);
  assertInteger("treePolarities", "seed", seed, 0, MAX_SEED);
  if (!(low >= 0 && high <= 1 && low <= high)) {
    throw dataError(
      "DATA-OPTION",
      "treePolarities",
      `|ρ| is to lie between ${low} and ${high}.`,
      "Give 0 ≤ low ≤ high ≤ 1.",
      { low, high },
    );
  }
  const random = new CounterRandom(seed, RandomStream.tree);
  return Float64Array.from({ length: edges }, (_, edge) => {
    return random.sign(3 * edge) * (low + (high - low) * random.uniform(3 * edge + 1));
  });
}

/** P(child = parent) = (1 + ρ)/2. */
export function symmetricConditionals(polarities: Float64Array): EdgeConditionals {
  return {
    givenZero: Float64Array.from(polarities, (polarity) => (1 - polarity) / 2),
    givenOne: Float64Array.from(polarities, (polarity) => (1 + polarity) / 2),
  };
}

/** The mean of the two probabilities is uniform between |ρ|/2 and 1 − |ρ|/2: the same polarities, children that are rarely or mostly 1. */
export function asymmetricConditionals(polarities: Float64Array, seed: number): EdgeConditionals {
  const random = new CounterRandom(seed, RandomStream.tree);
  const middle = Float64Array.from(polarities, (polarity, edge) => {
    return 0.5 + (1 - Math.abs(polarity)) * (random.uniform(3 * edge + 2) - 0.5);
  });
  return {
    givenZero: Float64Array.from(polarities, (polarity, edge) => (middle[edge] as number) - polarity / 2),
    givenOne: Float64Array.from(polarities, (polarity, edge) => (middle[edge] as number) + polarity / 2),
  };
}
