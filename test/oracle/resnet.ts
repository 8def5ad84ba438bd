/** Forward pass of residual nets in float64 from weights in PyTorch's names and layouts (OIHW), plain loops; images NCHW. */

export type TorchWeights = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>
>;

/** [batch, channels, height, width]. */
interface Images {
  readonly shape: readonly [number, number, number, number];
  readonly data: Float64Array;
}

function convolve(x: Images, weight: TorchWeights[string], stride: number, padding: number): Images {
  const [batch, channels, height, width] = x.shape;
  const [out = 0, , kernel = 0] = weight.shape;
  const extent = (size: number) => Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const [oh, ow] = [extent(height), extent(width)];
  const data = new Float64Array(batch * out * oh * ow);
  for (let b = 0; b < batch; b++) {
    for (let o = 0; o < out; o++) {
      for (let i = 0; i < oh; i++) {
        for (let j = 0; j < ow; j++) {
          let sum = 0;
          for (let c = 0; c < channels; c++) {
            for (let p = 0; p < kernel; p++) {
              for (let q = 0; q < kernel; q++) {
                const [h, w] = [i * stride + p - padding, j * stride + q - padding];
                if (h < 0 || h >= height || w < 0 || w >= width) continue;
                const tap = weight.data[((o * channels + c) * kernel + p) * kernel + q]!;
                sum += tap * x.data[((b * channels + c) * height + h) * width + w]!;
              }
            }
          }
          data[((b * out + o) * oh + i) * ow + j] = sum;
        }
      }
    }
  }
  return { shape: [batch, out, oh, ow], data };
}

/** With `isTraining` by the batch's mean and biased variance, else by running statistics; ε = 1e-5. */
function normalize(x: Images, weights: TorchWeights, name: string, isTraining: boolean): Images {
  const [batch, channels, height, width] = x.shape;
  const area = height * width;
  const data = new Float64Array(x.data.length);
  for (let c = 0; c < channels; c++) {
    const entries: number[] = [];
    for (let b = 0; b < batch; b++) for (let p = 0; p < area; p++) entries.push((b * channels + c) * area + p);
    let mean = weights[`${name}.running_mean`]?.data[c] ?? 0;
    let variance = weights[`${name}.running_var`]?.data[c] ?? 1;
    if (isTraining) {
      mean = entries.reduce((total, at) => total + x.data[at]! / entries.length, 0);
      variance = entries.reduce((total, at) => total + (x.data[at]! - mean) ** 2 / entries.length, 0);
    }
    const scale = weights[`${name}.weight`]!.data[c]! / Math.sqrt(variance + 1e-5);
    for (const at of entries) data[at] = (x.data[at]! - mean) * scale + weights[`${name}.bias`]!.data[c]!;
  }
  return { shape: x.shape, data };
}

const relu = (x: Images): Images => ({ shape: x.shape, data: x.data.map((value) => Math.max(value, 0)) });

function pool(x: Images): Images {
  const [batch, channels, height, width] = x.shape;
  const extent = (size: number) => Math.floor((size + 2 - 3) / 2) + 1;
  const [oh, ow] = [extent(height), extent(width)];
  const data = new Float64Array(batch * channels * oh * ow).fill(Number.NEGATIVE_INFINITY);
  for (let plane = 0; plane < batch * channels; plane++) {
    for (let i = 0; i < oh; i++) {
      for (let j = 0; j < ow; j++) {
        for (let h = Math.max(0, 2 * i - 1); h <= Math.min(height - 1, 2 * i + 1); h++) {
          for (let w = Math.max(0, 2 * j - 1); w <= Math.min(width - 1, 2 * j + 1); w++) {
            const at = (plane * oh + i) * ow + j;
            data[at] = Math.max(data[at]!, x.data[(plane * height + h) * width + w]!);
          }
        }
      }
    }
  }
  return { shape: [batch, channels, oh, ow], data };
}

export interface ResNetStructure {
  readonly stem: { readonly kernel: number; readonly stride: number; readonly hasPool: boolean };
  /** Stride of the first block of each stage; the names of blocks in the weights say how many there are and of which kind. */
  readonly strides: readonly number[];
  /** Name of the last linear layer; none: pooled features. */
  readonly head?: string;
  readonly isTraining: boolean;
}

/** [batch, features] row-major. */
export function resnetForward(
  weights: TorchWeights,
  images: ArrayLike<number>,
  shape: readonly [number, number, number, number],
  { stem, strides, head, isTraining }: ResNetStructure,
): Float64Array {
  const conv = (x: Images, name: string, stride: number) => {
    const weight = weights[`${name}.weight`]!;
    return convolve(x, weight, stride, ((weight.shape[2] ?? 1) - 1) / 2);
  };
  const norm = (x: Images, name: string) => normalize(x, weights, name, isTraining);
  let x: Images = { shape, data: Float64Array.from(images) };
  x = relu(norm(conv(x, "conv1", stem.stride), "bn1"));
  if (stem.hasPool) x = pool(x);
  strides.forEach((first, stage) => {
    for (let block = 0; weights[`layer${stage + 1}.${block}.conv1.weight`]; block++) {
      const name = `layer${stage + 1}.${block}`;
      const stride = block === 0 ? first : 1;
      const isBottleneck = weights[`${name}.conv3.weight`] !== undefined;
      let y = relu(norm(conv(x, `${name}.conv1`, isBottleneck ? 1 : stride), `${name}.bn1`));
      y = norm(conv(y, `${name}.conv2`, isBottleneck ? stride : 1), `${name}.bn2`);
      if (isBottleneck) y = norm(conv(relu(y), `${name}.conv3`, 1), `${name}.bn3`);
      const side = weights[`${name}.downsample.0.weight`]
        ? norm(conv(x, `${name}.downsample.0`, stride), `${name}.downsample.1`)
        : x;
      x = relu({ shape: y.shape, data: y.data.map((value, at) => value + side.data[at]!) });
    }
  });
  const [batch, channels, height, width] = x.shape;
  const area = height * width;
  const pooled = Float64Array.from({ length: batch * channels }, (_, plane) => {
    let sum = 0;
    for (let p = 0; p < area; p++) sum += x.data[plane * area + p]!;
    return sum / area;
  });
  if (head === undefined) return pooled;
  const { shape: headShape, data } = weights[`${head}.weight`]!;
  const bias = weights[`${head}.bias`]?.data;
  const out = headShape[0] ?? 0;
  return Float64Array.from({ length: batch * out }, (_, at) => {
    const [b, o] = [Math.floor(at / out), at % out];
    let sum = bias?.[o] ?? 0;
    for (let c = 0; c < channels; c++) sum += pooled[b * channels + c]! * data[o * channels + c]!;
    return sum;
  });
}
