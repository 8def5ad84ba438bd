/** Float64 reference of shaders/conv: direct convolution, NHWC and HWIO, and the adjoints in both operands, tap by tap. */

export interface ConvSpec {
  readonly batch: number;
  readonly input: readonly [number, number];
  readonly output: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly inChannels: number;
  readonly outChannels: number;
}

/** Calls `visit` for every product x·f of the convolution with the indices of x, f and y. */
function forEachProduct(spec: ConvSpec, visit: (x: number, f: number, y: number) => void): void {
  const { batch, input, output, kernel, stride, padding, inChannels, outChannels } = spec;
  for (let n = 0; n < batch; n++) {
    for (let oh = 0; oh < output[0]; oh++) {
      for (let ow = 0; ow < output[1]; ow++) {
        for (let kh = 0; kh < kernel[0]; kh++) {
          const ih = oh * stride[0] + kh - padding[0];
          if (ih < 0 || ih >= input[0]) continue;
          for (let kw = 0; kw < kernel[1]; kw++) {
            const iw = ow * stride[1] + kw - padding[1];
            if (iw < 0 || iw >= input[1]) continue;
            for (let ci = 0; ci < inChannels; ci++) {
              const x = ((n * input[0] + ih) * input[1] + iw) * inChannels + ci;
              for (let co = 0; co < outChannels; co++) {
                const f = ((kh * kernel[1] + kw) * inChannels + ci) * outChannels + co;
                visit(x, f, ((n * output[0] + oh) * output[1] + ow) * outChannels + co);
              }
            }
          }
        }
      }
    }
  }
}

export interface ConvOperands {
  readonly x: ArrayLike<number>;
  readonly filter: ArrayLike<number>;
  readonly scale?: ArrayLike<number> | undefined;
  readonly bias?: ArrayLike<number> | undefined;
  readonly addend?: ArrayLike<number> | undefined;
}

/** y [batch, output, outChannels] = scale·(x ∗ filter) + bias + addend, then max(·, 0) with `relu`. */
export function conv2d({ x, filter, scale, bias, addend }: ConvOperands, spec: ConvSpec, relu = false): Float64Array {
  const channels = spec.outChannels;
  const y = new Float64Array(spec.batch * spec.output[0] * spec.output[1] * channels);
  forEachProduct(spec, (ix, jf, ky) => {
    y[ky]! += x[ix]! * filter[jf]!;
  });
  return y.map((sum, at) => {
    const value = (scale?.[at % channels] ?? 1) * sum + (bias?.[at % channels] ?? 0) + (addend?.[at] ?? 0);
    return relu ? Math.max(value, 0) : value;
  });
}

/** Cotangent of x, [batch, input, inChannels]. */
export function conv2dDataGrad(dY: ArrayLike<number>, filter: ArrayLike<number>, spec: ConvSpec): Float64Array {
  const dX = new Float64Array(spec.batch * spec.input[0] * spec.input[1] * spec.inChannels);
  forEachProduct(spec, (ix, jf, ky) => {
    dX[ix]! += dY[ky]! * filter[jf]!;
  });
  return dX;
}

/** Cotangent of the filter, [kernel, inChannels, outChannels]. */
export function conv2dWeightGrad(x: ArrayLike<number>, dY: ArrayLike<number>, spec: ConvSpec): Float64Array {
  const dFilter = new Float64Array(spec.kernel[0] * spec.kernel[1] * spec.inChannels * spec.outChannels);
  forEachProduct(spec, (ix, jf, ky) => {
    dFilter[jf]! += x[ix]! * dY[ky]!;
  });
  return dFilter;
}
