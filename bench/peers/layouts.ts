/** Between the problems' layouts (NHWC images, HWIO filters) and those that another library recommends. */

/** [N, H, W, C] → [N, C, H, W]. */
export function toChannelsFirst(values: Float32Array, batch: number, channels: number): Float32Array<ArrayBuffer> {
  return swapLastTwo(values, batch, values.length / (batch * channels), channels);
}

/** [N, C, H, W] → [N, H, W, C]. */
export function toChannelsLast(values: Float32Array, batch: number, channels: number): Float32Array<ArrayBuffer> {
  return swapLastTwo(values, batch, channels, values.length / (batch * channels));
}

/** [KH, KW, I, O] → [O, I, KH, KW]. */
export function toOihw(values: Float32Array, inChannels: number, outChannels: number): Float32Array<ArrayBuffer> {
  const area = values.length / (inChannels * outChannels);
  return swapLastTwo(swapLastTwo(values, 1, area * inChannels, outChannels), outChannels, area, inChannels);
}

/** [O, I, KH, KW] → [KH, KW, I, O]. */
export function toHwio(values: Float32Array, inChannels: number, outChannels: number): Float32Array<ArrayBuffer> {
  const area = values.length / (inChannels * outChannels);
  return swapLastTwo(swapLastTwo(values, outChannels, inChannels, area), 1, outChannels, area * inChannels);
}

/** [batch, rows, columns] → [batch, columns, rows]. */
function swapLastTwo(values: Float32Array, batch: number, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const swapped = new Float32Array(values.length);
  for (let g = 0; g < batch; g++) {
    const start = g * rows * columns;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        swapped[start + column * rows + row] = values[start + row * columns + column] ?? 0;
      }
    }
  }
  return swapped;
}
