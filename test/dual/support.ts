/** Random networks, samples and tuples for tests of dual networks. */
import type { Loss, Network, Tuple } from "../oracle/dual.ts";
import * as oracle from "../oracle/dual.ts";
import type { TestRandom } from "../support/random.ts";

/** He-normal weights rounded to f32, so that GPU and oracle start from the same numbers. */
export function randomNetwork(random: TestRandom, widths: readonly number[], hasBias = false): Network {
  const layers = widths.slice(1).map((rows, l) => ({ rows, columns: widths[l]! }));
  const weights = layers.map(({ rows, columns }) =>
    Float64Array.from(random.normals(rows * columns, Math.sqrt(2 / columns))),
  );
  const biases = layers.map(({ rows }) => Float64Array.from(random.normals(rows, 0.3)));
  return hasBias ? { widths, weights, biases } : { widths, weights };
}

/** [augmentations·images, features]: each image, then noise of each augmentation; one augmentation is the image itself. */
export function randomSamples(
  random: TestRandom,
  { images, augmentations, features }: { images: number; augmentations: number; features: number },
): Float32Array<ArrayBuffer> {
  const centres = random.normals(images * features);
  const noise = augmentations === 1 ? 0 : 0.4;
  return Float32Array.from(
    { length: augmentations * images * features },
    (_, at) => centres[at % (images * features)]! + noise * random.normal(),
  );
}

/** Random tuples: any anchor, any augmentation of its image, negatives from the whole batch. */
export function randomTuples(
  random: TestRandom,
  {
    images,
    augmentations,
    negatives,
    rows,
  }: { images: number; augmentations: number; negatives: number; rows: number },
): Tuple[] {
  return Array.from({ length: rows }, () => {
    const x = random.integer(images);
    return {
      anchor: random.integer(augmentations) * images + x,
      positive: random.integer(augmentations) * images + x,
      negatives: Array.from({ length: negatives }, () => random.integer(images * augmentations)),
    };
  });
}

export const LOSSES = ["simple", "triplet", "infoNce"] as const;
export const BETAS = [-0.5, 0, 0.5] as const;

export function lossOf(kind: Loss["kind"], beta: number): Loss {
  return { kind, tau: 0.5, margin: 0.2, beta };
}

/** What the operators of one layer are made of. */
export interface LayerConnections {
  readonly layer: number;
  readonly weights: Float64Array;
  /** By sample. */
  readonly samples: readonly Float64Array[];
  /** By image and augmentation. */
  readonly byImage: oracle.Connections;
}

export function connectionsOf(network: Network, x: Float32Array, augmentations: number) {
  const features = network.widths[0]!;
  const count = x.length / features;
  const images = count / augmentations;
  const passes = Array.from({ length: count }, (_, i) =>
    oracle.forward(network, x.subarray(i * features, (i + 1) * features)),
  );
  const layers = network.weights.map((weights, index): LayerConnections => {
    const samples = passes.map((pass) => oracle.connection(pass, index + 1));
    const byImage = Array.from({ length: images }, (_, image) =>
      Array.from({ length: augmentations }, (_unused, a) => samples[a * images + image]!),
    );
    return { layer: index + 1, weights, samples, byImage };
  });
  return { passes, embeddings: passes.map(({ activations }) => activations.at(-1)!), layers };
}
