/** Layers: functions of a scope and a tensor. Names, shapes and first values as in PyTorch. */
import { conv2d } from "../autodiff/conv.ts";
import { add, matmul, relu as rectified } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { batchNorm, type StatisticMode } from "../autodiff/norm.ts";
import { shapeError } from "../ops/opDefinition.ts";
import { constantInit, uniformFanIn } from "./init.ts";
import type { ParameterScope } from "./scope.ts";
import type { Init } from "./spec.ts";

/** First values of a layer, from the number of inputs of one output. */
export type FanInInit = (fanIn: number) => Init;

export interface LinearOptions {
  readonly out: number;
  /** True unless given. */
  readonly bias?: boolean;
  /** PyTorch's default, U(±1/√fan_in), unless given. */
  readonly weightInit?: FanInInit;
  readonly biasInit?: FanInInit;
  /** The features are pixels with padded channels, which count neither in fan_in nor in files. */
  readonly padding?: PixelPadding;
}

/** Features made of pixels of `padded` channels, of which `channels` carry data. */
export interface PixelPadding {
  readonly channels: number;
  readonly padded: number;
}

/** x·Wᵀ + b of [N, in] → [N, out]; `name`.weight [out, in], `name`.bias [out]. */
export function linear(scope: ParameterScope, name: string, x: Tensor, options: LinearOptions): Tensor {
  const { out, bias = true, weightInit = uniformFanIn, biasInit = uniformFanIn, padding } = options;
  const [, features] = x.shape;
  if (x.shape.length !== 2 || features === undefined) {
    throw shapeError(`linear ${name}`, [x], "needs a matrix [N, features]", "Pool or reshape first.");
  }
  return scope.within(name, (own) => {
    const plain = { kind: "plain" } as const;
    const layout = padding ? ({ kind: "pixels", ...padding } as const) : plain;
    const fanIn = padding ? (features / padding.padded) * padding.channels : features;
    const weight = own.parameter("weight", { shape: [out, features], layout, init: weightInit(fanIn) });
    const product = matmul(x, weight, { transposeB: true });
    const y = bias
      ? add(product, own.parameter("bias", { shape: [out], layout: plain, init: biasInit(fanIn) }))
      : product;
    return own.observe("", y);
  });
}

export interface ConvLayerOptions {
  readonly out: number;
  readonly kernel: number;
  readonly stride?: number;
  /** (kernel − 1)/2 unless given. */
  readonly padding?: number;
  /** Channels of x that carry data, where it is padded to a multiple of 4 (3 for RGB). */
  readonly inChannels?: number;
  /** First values of the filter, from fan-in and fan-out (without padded channels). */
  readonly init: (fanIn: number, fanOut: number) => Init;
  /** First values of the bias; none unless given. */
  readonly biasInit?: FanInInit;
}

/** Convolution of [B, H, W, C]; `name`.weight is HWIO here and OIHW in files, `name`.bias [out]. */
export function conv(scope: ParameterScope, name: string, x: Tensor, options: ConvLayerOptions): Tensor {
  const { out, kernel, stride = 1, padding = (kernel - 1) / 2, init, biasInit } = options;
  const padded = x.shape.at(-1) ?? 1;
  const inChannels = options.inChannels ?? padded;
  if (inChannels > padded) {
    throw shapeError(
      `conv ${name}`,
      [x],
      `has fewer than ${inChannels} channels`,
      "Pad the input's channels to a multiple of 4.",
    );
  }
  const area = kernel * kernel;
  return scope.within(name, (own) => {
    const filter = own.parameter("weight", {
      shape: [kernel, kernel, padded, out],
      layout: { kind: "filter", inChannels },
      init: init(area * inChannels, area * out),
    });
    if (!biasInit) return own.observe("", conv2d(x, filter, { stride, padding }));
    const init1 = biasInit(area * inChannels);
    const bias = own.parameter("bias", { shape: [out], layout: { kind: "plain" }, init: init1 });
    return own.observe("", conv2d(x, filter, { stride, padding, bias }));
  });
}

export interface NormOptions {
  /** Scale and shift; true unless given. */
  readonly affine?: boolean;
  /** First scale; 1 unless given (0 with zero_init_residual). */
  readonly scale?: number;
  readonly mean?: StatisticMode;
  readonly variance?: StatisticMode;
  readonly unbiased?: boolean;
}

export interface NormApplication {
  readonly relu?: boolean;
  readonly addend?: Tensor | undefined;
}

/**
 * Batch normalisation of [.., C]; `name`.weight, `name`.bias [C] and running statistics. Returns the layer rather than its value, so
 * that its parameters come before those of a shortcut that is added.
 */
export function batchNormLayer(
  scope: ParameterScope,
  name: string,
  channels: number,
  options: NormOptions = {},
): (x: Tensor, application?: NormApplication) => Tensor {
  if (scope.isFolded) return shiftLayer(scope, name, channels);
  const { affine: hasAffine = true, scale = 1, ...statistics } = options;
  const affine = scope.within(name, (own) => {
    if (!hasAffine) return undefined;
    const vector = { shape: [channels], layout: { kind: "plain" } } as const;
    return {
      weight: own.parameter("weight", { ...vector, init: constantInit(scale) }),
      bias: own.parameter("bias", { ...vector, init: constantInit(0) }),
    };
  });
  return (x, { relu = false, addend } = {}) =>
    scope.graph.scope(name, () => {
      const running = scope.running(name, channels);
      const { y, moments } = batchNorm(x, { affine, addend, relu, running, ...statistics });
      if (!running) scope.noteMoments(name, channels, moments);
      return scope.observe(name, y);
    });
}

/** What is left of a folded normalisation: `name`.bias [C] is added, with addend and ReLU in the epilogue of the product before. */
function shiftLayer(
  scope: ParameterScope,
  name: string,
  channels: number,
): (x: Tensor, application?: NormApplication) => Tensor {
  const spec = { shape: [channels], layout: { kind: "plain" }, init: constantInit(0) } as const;
  const shift = scope.within(name, (own) => own.parameter("bias", spec));
  return (x, { relu = false, addend } = {}) =>
    scope.graph.scope(name, () => {
      const shifted = add(x, shift);
      const y = addend ? add(shifted, addend) : shifted;
      return scope.observe(name, relu ? rectified(y) : y);
    });
}
