// Counter-based random numbers: threefry2x32 with 20 rounds. A number depends only on (key, counter), so the CPU and a WGSL
// kernel draw the same bits in any order, and resuming a run needs no generator state.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; Random123 1.14.

import { assertInteger } from "./dataError.ts";

/**
 * Purposes of random numbers: the second word of the key, so that two purposes never share bits under one seed.
 * A value, once used by a published run, never changes meaning; new purposes take new values.
 */
export const RandomStream = {
  /** Initial weights. */
  weights: 1,
  /** Crop positions (crop.ts). */
  crops: 2,
  /** Synthetic data: signals shared by the two views of a pair. */
  data: 3,
  /** Noise that differs between the two views. */
  noise: 4,
  /** Order of the images in an epoch. */
  permutation: 5,
  /** Horizontal flips. */
  flips: 6,
  /** Colour augmentation. */
  colors: 7,
  /** Random rotations of a synthetic spectrum's basis. */
  rotation: 8,
  /** Everything that augmentation draws (src/augment); takes the upper 24 bits of the key word for itself. */
  augmentation: 9,
  /** What augmentation draws for the probe pairs; likewise. */
  probe: 10,
  /** Polarities of latent trees, and their signs. */
  tree: 20,
  /** Samples of latent trees: for training, for correlations, for covariance operators. */
  treeTraining: 21,
  treeMeasure: 22,
  treeOperator: 23,
  /** Splits and batches of classifiers on features. */
  evaluation: 11,
  /** Order of the chunks of a streamed file. */
  chunks: 12,
  /** Further pairs of views of the same images, beyond the first: pair i takes stream 32 + i, up to 63. */
  furtherViews: 32,
  /** Which samples a contrastive loss compares. */
  tuples: 13,
  /** Initial parameters of networks: parameter i draws from stream 2¹⁶ + i. */
  parameters: 0x1_0000,
  /** Initial parameters of target networks that start by themselves: 2¹⁷ + i. */
  target: 0x2_0000,
  /** Initial parameters of classifiers on features: 3·2¹⁶ + i. */
  classifier: 0x3_0000,
} as const;
export type RandomStream = (typeof RandomStream)[keyof typeof RandomStream];

/** Largest seed: seeds are u32, since a kernel's key word is. */
export const MAX_SEED = 0xffff_ffff;

const PARITY = 0x1bd11bda; // Skein's key-schedule parity constant for 32-bit words
const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const; // Random123 R_32x2

/**
 * Threefry-2x32, 20 rounds. All words are u32 (JavaScript numbers are taken modulo 2³²).
 *
 * @returns two u32 words
 */
export function threefry2x32(key0: number, key1: number, counter0: number, counter1: number): [number, number] {
  const keys = [key0 >>> 0, key1 >>> 0, (key0 ^ key1 ^ PARITY) >>> 0] as const;
  let x0 = (counter0 + key0) >>> 0;
  let x1 = (counter1 + key1) >>> 0;
  for (let round = 0; round < 20; round++) {
    const rotation = ROTATIONS[round & 7] as number;
    x0 = (x0 + x1) >>> 0;
    x1 = (((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0) >>> 0;
    if ((round & 3) === 3) {
      const injection = (round + 1) >>> 2;
      x0 = (x0 + (keys[injection % 3] as number)) >>> 0;
      x1 = (x1 + (keys[(injection + 1) % 3] as number) + injection) >>> 0;
    }
  }
  return [x0, x1];
}

/**
 * Maps a u32 to (0, 1): `((bits >>> 9) + ½)·2⁻²³`, never 0 or 1, mean exactly ½, and every operation exact in float32 too: this is the
 * `uniform01` of shaders/lib/random.wgsl, bit for bit. (With 24 bits, k + ½ would need 25, and f32 would round the largest to 1.)
 */
export function uniform01(bits: number): number {
  return ((bits >>> 9) + 0.5) * 2 ** -23;
}

/**
 * Random numbers of one purpose under one seed, by index: `key = (seed, stream)`, and the counter is the 64-bit number
 * `⌊i/2⌋`, low word first; index i takes word i mod 2 of the pair.
 *
 * `bits(i)`, `uniform(i)` and `normal(i)` of one index come from the same bits: use one of them per stream.
 */
export class CounterRandom {
  readonly #seed: number;
  readonly #stream: number;

  /** @throws EngineError DATA-OPTION unless `seed` and `stream` are u32. */
  constructor(seed: number, stream: RandomStream | number) {
    assertInteger("CounterRandom", "seed", seed, 0, MAX_SEED);
    assertInteger("CounterRandom", "stream", stream, 0, MAX_SEED);
    this.#seed = seed;
    this.#stream = stream;
  }

  /** u32 number `i`; i is an integer from 0 to 2⁵³ − 1. */
  bits(i: number): number {
    return this.#pair(i)[i % 2] as number;
  }

  /** Uniform number `i` in (0, 1), with 24 random bits. */
  uniform(i: number): number {
    return uniform01(this.bits(i));
  }

  /** −1 or 1 with equal chance, from the top bit. */
  sign(i: number): number {
    return this.bits(i) >= 0x8000_0000 ? 1 : -1;
  }

  /**
   * Standard normal number `i`, by Box–Muller in float64: the even index takes the cosine, the odd one the sine.
   * |normal| ≤ √(2·24·ln 2) ≈ 5.77, since the smallest uniform is 2⁻²⁴.
   */
  normal(i: number): number {
    const [first, second] = this.#pair(i);
    const radius = Math.sqrt(-2 * Math.log(uniform01(first)));
    const angle = 2 * Math.PI * uniform01(second);
    return radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
  }

  /** Standard normal numbers `start` to `start + count − 1`. */
  normals(count: number, start = 0): Float64Array<ArrayBuffer> {
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) values[i] = this.normal(start + i);
    return values;
  }

  #pair(i: number): [number, number] {
    const counter = Math.floor(i / 2);
    return threefry2x32(this.#seed, this.#stream, counter >>> 0, Math.floor(counter / 2 ** 32));
  }
}
