/** jax-js: matrix products, and convolutions in NCHW and OIHW with their cotangents by `vjp` inside `jit`. */
import { type Array as JaxArray, jit, lax, numpy, vjp } from "@jax-js/jax";
import type { ConvWork, MatmulWork, PreparedWork } from "../../src/cli/bench/peerContract.ts";
import { toChannelsFirst, toChannelsLast, toHwio, toOihw } from "./layouts.ts";

export function prepareMatmul({ m, k, n, transposeA, transposeB, a, b }: MatmulWork): Promise<PreparedWork> {
  return prepared(
    (x, y) => numpy.matmul(transposeA ? x.transpose() : x, transposeB ? y.transpose() : y),
    [onDevice(a, transposeA ? [k, m] : [m, k]), onDevice(b, transposeB ? [n, k] : [k, n])],
  );
}

export function prepareConv(work: ConvWork): Promise<PreparedWork> {
  const { product, batch, side, outSide, kernel, stride, padding, inChannels, outChannels } = work;
  const border: [number, number] = [padding, padding];
  const conv = (x: JaxArray, filter: JaxArray) => lax.convGeneralDilated(x, filter, [stride, stride], [border, border]);
  const x = onDevice(toChannelsFirst(work.x, batch, inChannels), [batch, inChannels, side, side]);
  const filter = onDevice(toOihw(work.filter, inChannels, outChannels), [outChannels, inChannels, kernel, kernel]);
  if (product === "forward") {
    return prepared(conv, [x, filter], (values) => toChannelsLast(values, batch, outChannels));
  }
  const dY = onDevice(toChannelsFirst(work.dY, batch, outChannels), [batch, outChannels, outSide, outSide]);
  // The cotangent of one operand; the result of the forward product is not used and not computed.
  const cotangent = (of: 0 | 1) => (first: JaxArray, second: JaxArray, upstream: JaxArray) => {
    const variable = of === 0 ? first : second;
    const fixed = of === 0 ? second : first;
    const [y, backward] = vjp((v: JaxArray) => (of === 0 ? conv(v, fixed.ref) : conv(fixed.ref, v)), [variable]);
    y.dispose();
    const [result] = backward(upstream);
    backward.dispose();
    fixed.dispose();
    return result;
  };
  return product === "dataGrad"
    ? prepared(cotangent(0), [x, filter, dY], (values) => toChannelsLast(values, batch, inChannels))
    : prepared(cotangent(1), [x, filter, dY], (values) => toHwio(values, inChannels, outChannels));
}

function onDevice(values: Float32Array, shape: number[]): JaxArray {
  return numpy.array(Float32Array.from(values)).reshape(shape);
}

async function prepared(
  compute: (...operands: JaxArray[]) => JaxArray,
  operands: readonly JaxArray[],
  toProblemLayout: (values: Float32Array) => Float32Array = (values) => values,
): Promise<PreparedWork> {
  for (const operand of operands) await operand.blockUntilReady();
  const compiled = jit(compute);
  const computed = () => compiled(...operands.map((operand) => operand.ref));
  return {
    async run() {
      const y = computed();
      await y.blockUntilReady();
      y.dispose();
    },
    result: async () => toProblemLayout((await computed().data()) as Float32Array),
    release() {
      for (const operand of operands) operand.dispose();
      compiled.dispose();
    },
  };
}
