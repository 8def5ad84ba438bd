/**
 * TensorFlow.js (`@tensorflow/tfjs-core` with its WebGPU backend, Apache-2.0) as its documentation recommends it: NHWC, `tidy`. Its rule
 * that small operations run on the CPU when their operands lie there (WEBGPU_CPU_FORWARD) is off: what is measured runs on the GPU.
 */

import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-webgpu";
import type { ConvWork, MatmulWork, OpenPeers, PreparedWork } from "../../src/cli/bench/peerContract.ts";
import { prepareStep } from "./tensorflowJsStep.ts";

export const openPeers: OpenPeers = async () => {
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  if (!(await tf.setBackend("webgpu"))) return [];
  await tf.ready();
  return [
    {
      engine: "TensorFlow.js webgpu",
      matmul: prepareMatmul,
      conv: prepareConv,
      step: (work) => prepareStep(work, tf.backend() as WebGPUBackend),
    },
  ];
};

async function prepareMatmul({ m, k, n, transposeA, transposeB, a, b }: MatmulWork): Promise<PreparedWork> {
  const x = tf.tensor2d(a, transposeA ? [k, m] : [m, k]);
  const y = tf.tensor2d(b, transposeB ? [n, k] : [k, n]);
  return prepared(() => tf.matMul(x, y, transposeA, transposeB), [x, y]);
}

/** Gradients by the kernels that `tf.grad` of `conv2d` runs, so that no forward product is part of them. */
async function prepareConv(work: ConvWork): Promise<PreparedWork> {
  const { product, batch, side, outSide, kernel, stride, padding, inChannels, outChannels } = work;
  const x = tf.tensor4d(work.x, [batch, side, side, inChannels]);
  const filter = tf.tensor4d(work.filter, [kernel, kernel, inChannels, outChannels]);
  const dy = tf.tensor4d(work.dY, [batch, outSide, outSide, outChannels]);
  const attributes = { strides: stride, pad: padding, dataFormat: "NHWC" as const };
  const compute = {
    forward: () => tf.conv2d(x, filter, stride, padding),
    dataGrad: () =>
      tf.engine().runKernel<tf.Tensor>(tf.Conv2DBackpropInput, { dy, filter }, { ...attributes, inputShape: x.shape }),
    weightGrad: () =>
      tf
        .engine()
        .runKernel<tf.Tensor>(tf.Conv2DBackpropFilter, { x, dy }, { ...attributes, filterShape: filter.shape }),
  };
  return prepared(compute[product], [x, filter, dy]);
}

function prepared(compute: () => tf.Tensor, operands: readonly tf.Tensor[]): PreparedWork {
  const backend = tf.backend() as WebGPUBackend;
  return {
    async run() {
      const y = tf.tidy(compute);
      // Submits what is recorded, as a read does, without the copy.
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      backend.submitQueue();
      await backend.queue.onSubmittedWorkDone();
      y.dispose();
    },
    async result() {
      const y = tf.tidy(compute);
      const values = (await y.data()) as Float32Array;
      y.dispose();
      return values;
    },
    release: () => tf.dispose([...operands]),
  };
}
