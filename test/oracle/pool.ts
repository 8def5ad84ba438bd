/** Pooling of NHWC images and its cotangents, float64 plain loops over windows. */

export interface PoolShape {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

export function pooledSize({ height, width, kernel, stride, padding }: PoolShape): [number, number] {
  const extent = (size: number, axis: 0 | 1) =>
    Math.floor((size + 2 * padding[axis] - kernel[axis]) / stride[axis]) + 1;
  return [extent(height, 0), extent(width, 1)];
}

/** Calls back with the index of each output and the indices of its window's entries inside the image, in row order. */
function eachWindow(shape: PoolShape, visit: (output: number, entries: readonly number[]) => void): void {
  const { batch, height, width, channels, kernel, stride, padding } = shape;
  const [outHeight, outWidth] = pooledSize(shape);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < outHeight; i++) {
      for (let j = 0; j < outWidth; j++) {
        for (let c = 0; c < channels; c++) {
          const entries: number[] = [];
          for (let p = 0; p < kernel[0]; p++) {
            for (let q = 0; q < kernel[1]; q++) {
              const [h, w] = [i * stride[0] - padding[0] + p, j * stride[1] - padding[1] + q];
              if (h >= 0 && h < height && w >= 0 && w < width)
                entries.push(((b * height + h) * width + w) * channels + c);
            }
          }
          visit(((b * outHeight + i) * outWidth + j) * channels + c, entries);
        }
      }
    }
  }
}

const outputs = (shape: PoolShape): number =>
  shape.batch * shape.channels * pooledSize(shape)[0] * pooledSize(shape)[1];

export function maxPool(x: ArrayLike<number>, shape: PoolShape): Float64Array {
  const y = new Float64Array(outputs(shape));
  eachWindow(shape, (output, entries) => {
    y[output] = Math.max(...entries.map((at) => x[at]!));
  });
  return y;
}

/** The first of equal entries takes the whole cotangent. `windows` counts the terms of each sum. */
export function maxPoolGrad(dY: ArrayLike<number>, x: ArrayLike<number>, shape: PoolShape) {
  const dX = new Float64Array(x.length);
  const magnitude = new Float64Array(x.length);
  eachWindow(shape, (output, entries) => {
    const largest = Math.max(...entries.map((at) => x[at]!));
    const first = entries.find((at) => x[at] === largest)!;
    dX[first]! += dY[output]!;
    magnitude[first]! += Math.abs(dY[output]!);
  });
  return { dX, magnitude };
}

/** Padding counts as zeros: every window is divided by its full size. */
export function averagePool(x: ArrayLike<number>, shape: PoolShape) {
  const size = shape.kernel[0] * shape.kernel[1];
  const y = new Float64Array(outputs(shape));
  const magnitude = new Float64Array(y.length);
  eachWindow(shape, (output, entries) => {
    for (const at of entries) {
      y[output]! += x[at]! / size;
      magnitude[output]! += Math.abs(x[at]!) / size;
    }
  });
  return { y, magnitude };
}

export function averagePoolGrad(dY: ArrayLike<number>, shape: PoolShape) {
  const size = shape.kernel[0] * shape.kernel[1];
  const dX = new Float64Array(shape.batch * shape.height * shape.width * shape.channels);
  const magnitude = new Float64Array(dX.length);
  eachWindow(shape, (output, entries) => {
    for (const at of entries) {
      dX[at]! += dY[output]! / size;
      magnitude[at]! += Math.abs(dY[output]!) / size;
    }
  });
  return { dX, magnitude };
}
