/**
 * A training step whose first losses two independent engines (TensorFlow.js 4.22 and jax-js 0.1.25) agree on to 2.4e-7: what benchmarks and
 * golden tests share. Plain numbers; goldenStep.ts builds it for our engine, bench/peers for the others.
 */
import type { FilterValues, StepWork } from "./peerContract.ts";

/** Losses of the first five states, by TensorFlow.js. */
export const GOLDEN_LOSSES = [2.766758442, 2.763579845, 2.757569075, 2.748932838, 2.737707615];

/** How far f32 engines may differ from them. */
export const GOLDEN_TOLERANCE = 2e-6;

const BATCH = 32;
const SIDE = 32;
const FEATURES = 64;

/** Filters in the order in which their values are drawn: name, output and input channels, side. */
const FILTERS: readonly (readonly [name: string, out: number, inputs: number, kernel: number])[] = [
  ["conv1", 16, 3, 3],
  ["layer1.conv1", 16, 16, 3],
  ["layer1.conv2", 16, 16, 3],
  ["layer2.conv1", 32, 16, 3],
  ["layer2.conv2", 32, 32, 3],
  ["layer2.downsample.0", 32, 16, 1],
  ["layer3.conv1", 64, 32, 3],
  ["layer3.conv2", 64, 64, 3],
  ["layer3.downsample.0", 64, 32, 1],
];

/** Batch and weights, drawn by a linear congruential generator. */
export function goldenWork(): StepWork {
  let state = 1;
  const draw = (count: number, scale: number): Float32Array =>
    Float32Array.from({ length: count }, () => {
      state = (Math.imul(1_664_525, state) + 1_013_904_223) >>> 0;
      return 2 * (state / 2 ** 32 - 0.5) * scale;
    });
  const images = draw(BATCH * 3 * SIDE * SIDE, 1);
  const filters = FILTERS.map(([name, outChannels, inChannels, kernel]): FilterValues => {
    const fanIn = kernel * kernel * inChannels;
    return { name, outChannels, inChannels, kernel, values: draw(outChannels * fanIn, Math.sqrt(3 / fanIn)) };
  });
  return {
    batch: BATCH,
    side: SIDE,
    learningRate: 0.05,
    momentum: 0.9,
    temperature: 0.5,
    images,
    filters,
    blocks: [
      { name: "layer1", stride: 1 },
      { name: "layer2", stride: 2 },
      { name: "layer3", stride: 2 },
    ],
    head: draw(FEATURES * FEATURES, 0.2),
  };
}
