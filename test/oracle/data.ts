/** Reference of shaders/data. */
import { multiplyHigh, threefry } from "./random.ts";

export interface GatherCropSpec {
  readonly views: number;
  readonly channels: number;
  readonly cropHeight: number;
  readonly cropWidth: number;
  readonly height: number;
  readonly width: number;
  /** Strides in bytes. */
  readonly imageStride: number;
  readonly channelStride: number;
  readonly rowStride: number;
  readonly columnStride: number;
  readonly pixelsOffset: number;
  readonly seed: number;
  readonly stream: number;
  readonly step: number;
  readonly scale: number;
}

/** Upper left corner of the crop of one image in one view of one step. */
export function cropOrigin(image: number, view: number, spec: GatherCropSpec): { top: number; left: number } {
  const bits = threefry([spec.seed, spec.stream], [image, 2 * spec.step + view]);
  return {
    top: multiplyHigh(bits[0], spec.height - spec.cropHeight + 1),
    left: multiplyHigh(bits[1], spec.width - spec.cropWidth + 1),
  };
}

/** y[view, i, row, column, channel] = scale·pixel of image indices[i] at the crop's origin plus (row, column). */
export function gatherCrop(pixels: Uint8Array, indices: ArrayLike<number>, spec: GatherCropSpec): Float64Array {
  const y = new Float64Array(spec.views * indices.length * spec.cropHeight * spec.cropWidth * spec.channels);
  let at = 0;
  for (let view = 0; view < spec.views; view++) {
    for (let i = 0; i < indices.length; i++) {
      const image = indices[i]!;
      const { top, left } = cropOrigin(image, view, spec);
      for (let row = 0; row < spec.cropHeight; row++) {
        for (let column = 0; column < spec.cropWidth; column++) {
          for (let channel = 0; channel < spec.channels; channel++) {
            const byte =
              spec.pixelsOffset +
              image * spec.imageStride +
              channel * spec.channelStride +
              (top + row) * spec.rowStride +
              (left + column) * spec.columnStride;
            y[at++] = spec.scale * pixels[byte]!;
          }
        }
      }
    }
  }
  return y;
}
