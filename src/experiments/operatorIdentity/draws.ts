/** Random networks, data and tuples of an identity run: functions of the seed alone. */

import { CounterRandom, RandomStream } from "../../data/index.ts";
import type { BatchShape, Tuples } from "../../dual/pairMatrix.ts";
import { negativesError } from "../../dual/pairMatrix.ts";
import type { OperatorIdentityConfig } from "./config.ts";

/** Random numbers that one draw of a kind may use. */
const BLOCK = 2 ** 24;

/** Weights of one network, He normal, by name. */
export function drawWeights(
  seed: number,
  draw: number,
  widths: readonly number[],
): Record<string, Float32Array<ArrayBuffer>> {
  const random = new CounterRandom(seed, RandomStream.weights);
  let at = draw * BLOCK;
  return Object.fromEntries(
    widths.slice(1).map((rows, l) => {
      const columns = widths[l] ?? 1;
      const values = random.normals(rows * columns, at);
      at += rows * columns;
      return [`layers.${l}.weight`, Float32Array.from(values, (value) => value * Math.sqrt(2 / columns))];
    }),
  );
}

/** [augmentations·images, features], augmentation by augmentation; a single one is the image itself. */
export function drawSamples(
  seed: number,
  draw: number,
  { images, augmentations }: BatchShape,
  features: number,
  noise: number,
): Float32Array<ArrayBuffer> {
  const centres = new CounterRandom(seed, RandomStream.data).normals(images * features, draw * BLOCK);
  const random = new CounterRandom(seed, RandomStream.noise);
  return Float32Array.from({ length: augmentations * images * features }, (_, at) => {
    const centre = centres[at % (images * features)] ?? 0;
    return augmentations === 1 ? centre : centre + noise * random.normal(draw * BLOCK + at);
  });
}

/**
 * Sampled tuples of every H: any anchor, any augmentation of its image (itself too), H different samples as negatives (the anchor's image
 * among them), as independent draws may have it.
 *
 * @throws EngineError DUAL-NEGATIVES when the batch has fewer samples than H
 */
export function drawTuples(
  config: OperatorIdentityConfig,
  shape: BatchShape,
): { readonly kind: "sampled"; readonly tuples: Tuples }[] {
  const random = new CounterRandom(config.seed, RandomStream.tuples);
  const samples = shape.images * shape.augmentations;
  let at = 0;
  const integer = (below: number): number => random.bits(at++) % below;
  return config.loss.negatives.map((count) => {
    if (count > samples) throw negativesError(count, samples);
    const [anchors, positives, negatives]: [number[], number[], number[][]] = [[], [], []];
    for (let row = 0; row < config.data.tuples; row++) {
      const image = integer(shape.images);
      anchors.push(integer(shape.augmentations) * shape.images + image);
      positives.push(integer(shape.augmentations) * shape.images + image);
      const left = Array.from({ length: samples }, (_, index) => index);
      negatives.push(Array.from({ length: count }, () => left.splice(integer(left.length), 1)[0] ?? 0));
    }
    return { kind: "sampled", tuples: { anchors, positives, negatives } };
  });
}
