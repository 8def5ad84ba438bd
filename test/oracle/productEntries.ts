/**
 * Single entries of matrix products and of a convolution's three products in float64, for results too large to be computed whole; each
 * with the sum of its terms' magnitudes and their number, from which error bounds are made.
 */
import type { ConvSpec } from "./conv.ts";

export interface Entry {
  readonly value: number;
  /** Σ |term|. */
  readonly magnitude: number;
  readonly terms: number;
}

class Sum implements Entry {
  value = 0;
  magnitude = 0;
  terms = 0;

  add(term: number): void {
    this.value += term;
    this.magnitude += Math.abs(term);
    this.terms++;
  }
}

export interface MatmulEntrySpec {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** Entry `at` of op(A)·op(B), [m, n] row-major; A is stored [m, k] or [k, m], B [k, n] or [n, k]. */
export function matmulEntry(a: ArrayLike<number>, b: ArrayLike<number>, spec: MatmulEntrySpec, at: number): Entry {
  const { m, k, n, transposeA, transposeB } = spec;
  const [i, j] = [Math.floor(at / n), at % n];
  const sum = new Sum();
  for (let l = 0; l < k; l++) {
    sum.add((transposeA ? a[l * m + i]! : a[i * k + l]!) * (transposeB ? b[j * k + l]! : b[l * n + j]!));
  }
  return sum;
}

/** Entry `at` of y [batch, output, outChannels]. */
export function convEntry(x: ArrayLike<number>, filter: ArrayLike<number>, spec: ConvSpec, at: number): Entry {
  const { input, output, kernel, stride, padding, inChannels, outChannels } = spec;
  const o = at % outChannels;
  const pixel = Math.floor(at / outChannels);
  const [n, oh, ow] = [
    Math.floor(pixel / (output[0] * output[1])),
    Math.floor(pixel / output[1]) % output[0],
    pixel % output[1],
  ];
  const sum = new Sum();
  for (let kh = 0; kh < kernel[0]; kh++) {
    for (let kw = 0; kw < kernel[1]; kw++) {
      const [ih, iw] = [oh * stride[0] + kh - padding[0], ow * stride[1] + kw - padding[1]];
      if (ih < 0 || ih >= input[0] || iw < 0 || iw >= input[1]) continue;
      for (let c = 0; c < inChannels; c++) {
        const f = ((kh * kernel[1] + kw) * inChannels + c) * outChannels + o;
        sum.add(x[((n * input[0] + ih) * input[1] + iw) * inChannels + c]! * filter[f]!);
      }
    }
  }
  return sum;
}

/** Entry `at` of the cotangent of x, [batch, input, inChannels]: every tap that the pixel was read by. */
export function convDataGradEntry(dY: ArrayLike<number>, filter: ArrayLike<number>, spec: ConvSpec, at: number): Entry {
  const { input, output, kernel, stride, padding, inChannels, outChannels } = spec;
  const c = at % inChannels;
  const pixel = Math.floor(at / inChannels);
  const [n, ih, iw] = [
    Math.floor(pixel / (input[0] * input[1])),
    Math.floor(pixel / input[1]) % input[0],
    pixel % input[1],
  ];
  const sum = new Sum();
  for (let oh = 0; oh < output[0]; oh++) {
    const kh = ih + padding[0] - oh * stride[0];
    if (kh < 0 || kh >= kernel[0]) continue;
    for (let ow = 0; ow < output[1]; ow++) {
      const kw = iw + padding[1] - ow * stride[1];
      if (kw < 0 || kw >= kernel[1]) continue;
      for (let o = 0; o < outChannels; o++) {
        const f = ((kh * kernel[1] + kw) * inChannels + c) * outChannels + o;
        sum.add(dY[((n * output[0] + oh) * output[1] + ow) * outChannels + o]! * filter[f]!);
      }
    }
  }
  return sum;
}

/** Entry `at` of the cotangent of the filter, [kernel, inChannels, outChannels]. */
export function convWeightGradEntry(x: ArrayLike<number>, dY: ArrayLike<number>, spec: ConvSpec, at: number): Entry {
  const { batch, input, output, kernel, stride, padding, inChannels, outChannels } = spec;
  const o = at % outChannels;
  const c = Math.floor(at / outChannels) % inChannels;
  const tap = Math.floor(at / (outChannels * inChannels));
  const [kh, kw] = [Math.floor(tap / kernel[1]), tap % kernel[1]];
  const sum = new Sum();
  for (let n = 0; n < batch; n++) {
    for (let oh = 0; oh < output[0]; oh++) {
      const ih = oh * stride[0] + kh - padding[0];
      if (ih < 0 || ih >= input[0]) continue;
      for (let ow = 0; ow < output[1]; ow++) {
        const iw = ow * stride[1] + kw - padding[1];
        if (iw < 0 || iw >= input[1]) continue;
        sum.add(
          x[((n * input[0] + ih) * input[1] + iw) * inChannels + c]! *
            dY[((n * output[0] + oh) * output[1] + ow) * outChannels + o]!,
        );
      }
    }
  }
  return sum;
}
