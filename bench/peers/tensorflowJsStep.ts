/** TensorFlow.js: the training step as `optimizer.minimize` of a tidied loss, which is read after each step. */

import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
// The package's entry leaves gradients to whoever needs them.
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import type { PreparedStep, StepWork } from "../../src/cli/bench/peerContract.ts";
import { toChannelsLast, toHwio } from "./layouts.ts";

interface Layer {
  readonly filter: tf.Variable<tf.Rank.R4>;
  readonly scale: tf.Variable<tf.Rank.R1>;
  readonly shift: tf.Variable<tf.Rank.R1>;
}

export async function prepareStep(work: StepWork, backend: WebGPUBackend): Promise<PreparedStep> {
  const { batch, side, learningRate, momentum } = work;
  const peak = watchMemory(backend);
  const images = tf.tensor4d(toChannelsLast(work.images, batch, 3), [batch, side, side, 3]);
  const layers = new Map<string, Layer>();
  for (const { name, values, kernel, inChannels, outChannels } of work.filters) {
    const hwio = toHwio(values, inChannels, outChannels);
    layers.set(name, {
      filter: tf.variable(tf.tensor4d(hwio, [kernel, kernel, inChannels, outChannels])),
      scale: tf.variable(tf.ones([outChannels])),
      shift: tf.variable(tf.zeros([outChannels])),
    });
  }
  const features = Math.sqrt(work.head.length);
  const head = tf.variable(tf.tensor2d(work.head, [features, features]));
  const optimizer = tf.train.momentum(learningRate, momentum);
  return {
    async run(steps, onLoss, signal) {
      for (let step = 0; step < steps && !signal.aborted; step++) {
        const loss = optimizer.minimize(() => lossOf(work, images, layers, head), true);
        const [value = Number.NaN] = (await loss?.data()) ?? [];
        loss?.dispose();
        onLoss(value);
      }
    },
    reportedGpuBytes: peak,
    release() {
      optimizer.dispose();
      for (const layer of layers.values()) tf.dispose([layer.filter, layer.scale, layer.shift]);
      tf.dispose([images, head]);
    },
  };
}

/** The most that `tf.memory().numBytesInGPU` ever was beyond what it is now, looked at whenever a buffer is taken. */
function watchMemory({ bufferManager }: WebGPUBackend): () => number {
  const used = () => (tf.memory() as unknown as { readonly numBytesInGPU: number }).numBytesInGPU;
  const before = used();
  let peak = before;
  const acquire = bufferManager.acquireBuffer.bind(bufferManager);
  bufferManager.acquireBuffer = (...parameters) => {
    const buffer = acquire(...parameters);
    peak = Math.max(peak, used());
    return buffer;
  };
  return () => peak - before;
}

function lossOf(work: StepWork, images: tf.Tensor4D, layers: ReadonlyMap<string, Layer>, head: tf.Tensor2D): tf.Scalar {
  const layer = (x: tf.Tensor4D, name: string, stride: number): tf.Tensor4D => {
    const own = layers.get(name);
    if (!own) throw new Error(`no layer ${name}`);
    const [kernel] = own.filter.shape;
    const y = tf.conv2d(x, own.filter, stride, (kernel - 1) / 2);
    const { mean, variance } = tf.moments(y, [0, 1, 2]);
    return tf.batchNorm4d(y, mean as tf.Tensor1D, variance as tf.Tensor1D, own.shift, own.scale, 1e-5);
  };
  let y = tf.relu<tf.Tensor4D>(layer(images, "conv1", 1));
  for (const { name, stride } of work.blocks) {
    const shortcut = layers.has(`${name}.downsample.0`) ? layer(y, `${name}.downsample.0`, stride) : y;
    const hidden = tf.relu<tf.Tensor4D>(layer(y, `${name}.conv1`, stride));
    y = tf.relu(tf.add<tf.Tensor4D>(layer(hidden, `${name}.conv2`, 1), shortcut));
  }
  const z = tf.matMul(tf.mean<tf.Tensor2D>(y, [1, 2]), head);
  const unit = tf.div<tf.Tensor2D>(z, tf.sqrt(tf.add(tf.sum(tf.square(z), 1, true), 1e-8)));
  const half = work.batch / 2;
  const a = tf.slice2d(unit, [0, 0], [half, -1]);
  const b = tf.slice2d(unit, [half, 0], [half, -1]);
  const similarities = tf.div(tf.matMul(a, b, false, true), work.temperature);
  const positives = tf.div(tf.sum(tf.mul(a, b), 1), work.temperature);
  return tf.mean(tf.sub(tf.logSumExp(similarities, 1), positives));
}
