/**
 * Float64 references of shaders/augment, written image by image from the definitions: threefry's bits to draws, draws to pixels. The colour
 * operations follow torchvision.transforms.functional on float tensors (hue through HSV's six cases, which the shader avoids).
 */
import { multiplyHigh, threefry, uniform01 } from "./random.ts";

/** Feistel rounds on the bits of a position, walked until below count. */
export function epochIndices(
  step: number,
  { count, batch, seed, stream }: { count: number; batch: number; seed: number; stream: number },
): number[] {
  const batches = Math.floor(count / batch);
  const epoch = Math.floor(step / batches);
  const bits = Math.max(2, Math.ceil(Math.log2(count)));
  const lowSize = 2 ** Math.floor(bits / 2);
  const highSize = 2 ** bits / lowSize;
  const word = (half: number, round: number) => threefry([seed, stream], [half + 65536 * round, epoch])[0];
  return Array.from({ length: batch }, (_, i) => {
    let at = (step % batches) * batch + i;
    do {
      let low = at % lowSize;
      let high = Math.floor(at / lowSize);
      for (let round = 0; round < (bits < 8 ? 24 : 8); round++) {
        if (round % 2 === 0) high = (high ^ (word(low, round) % highSize)) >>> 0;
        else low = (low ^ (word(high, round) % lowSize)) >>> 0;
      }
      at = high * lowSize + low;
    } while (at >= count);
    return at;
  });
}

export interface Distribution {
  readonly scale: readonly [number, number];
  readonly ratio: readonly [number, number];
  readonly flip: number;
  readonly jitter: number;
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly hue: number;
  readonly gray: number;
  readonly blur: number;
  readonly sigma: readonly [number, number];
  readonly solarize: number;
  readonly threshold: number;
}

export interface Draw {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly flip: boolean;
  readonly jitter: boolean;
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly hue: number;
  readonly order: readonly string[];
  readonly gray: boolean;
  readonly sigma: number;
  readonly weights: readonly number[];
  readonly threshold: number;
}

export interface DrawSpec {
  readonly height: number;
  readonly width: number;
  readonly isInteger: boolean;
  readonly isOrderRandom: boolean;
  readonly radius: number;
  readonly seed: number;
  readonly stream: number;
  readonly step: number;
}

/** @returns the draw, and how near a rounding of a crop's side came to a half (0 at it, ½ furthest): f32 may round the other way there */
export function drawOf(
  image: number,
  view: number,
  spec: DrawSpec,
  d: Distribution,
): { readonly draw: Draw; readonly margin: number } {
  const bits = (pair: number) => threefry([spec.seed, spec.stream + 256 * pair], [image, 2 * spec.step + view]);
  const uniforms = (pair: number) => bits(pair).map(uniform01) as [number, number];
  const between = (u: number, [low, high]: readonly [number, number]) => low + u * (high - low);
  let margin = 0.5;
  const sides = (pair: number) => {
    const [u0, u1] = uniforms(pair);
    const area = spec.height * spec.width * between(u0, d.scale);
    const aspect = Math.exp(between(u1, [Math.log(d.ratio[0]), Math.log(d.ratio[1])]));
    return { height: Math.sqrt(area / aspect), width: Math.sqrt(area * aspect) };
  };
  const cropped = () => {
    if (!spec.isInteger) {
      const { height, width } = sides(0);
      const [h, w] = [Math.min(height, spec.height), Math.min(width, spec.width)];
      const [u0, u1] = uniforms(1);
      return { top: u0 * (spec.height - h), left: u1 * (spec.width - w), height: h, width: w };
    }
    for (let attempt = 0; attempt < 10; attempt++) {
      const real = sides(2 * attempt);
      for (const side of [real.height, real.width]) {
        margin = Math.min(margin, Math.abs(side - Math.floor(side) - 0.5));
      }
      const [height, width] = [Math.round(real.height), Math.round(real.width)];
      if (height < 1 || width < 1 || height > spec.height || width > spec.width) continue;
      const [b0, b1] = bits(2 * attempt + 1);
      return {
        top: multiplyHigh(b0, spec.height - height + 1),
        left: multiplyHigh(b1, spec.width - width + 1),
        height,
        width,
      };
    }
    let [height, width] = [spec.height, spec.width];
    if (width / height < d.ratio[0]) height = Math.round(width / d.ratio[0]);
    else if (width / height > d.ratio[1]) width = Math.round(height * d.ratio[1]);
    return {
      top: Math.floor((spec.height - height) / 2),
      left: Math.floor((spec.width - width) / 2),
      height,
      width,
    };
  };
  const crop = cropped();
  const [flip, jitterWord] = uniforms(20);
  const jitter = jitterWord < d.jitter;
  const [light, contrastWord] = uniforms(21);
  const [tint, hueWord] = uniforms(22);
  const factor = (u: number, strength: number) => (jitter ? between(u, [Math.max(0, 1 - strength), 1 + strength]) : 1);
  const [orderBits, grayBits] = bits(23);
  let which = spec.isOrderRandom ? multiplyHigh(orderBits, 24) : 0;
  const left = ["brightness", "contrast", "saturation", "hue"];
  const order: string[] = [];
  for (let choices = 4; choices > 0; choices--) {
    order.push(...left.splice(which % choices, 1));
    which = Math.floor(which / choices);
  }
  const [blur, sigmaWord] = uniforms(24);
  const isBlurred = blur < d.blur;
  const sigma = between(sigmaWord, d.sigma);
  const raw = Array.from({ length: isBlurred ? spec.radius + 1 : 1 }, (_, k) =>
    Math.exp(-(k * k) / (2 * sigma * sigma)),
  );
  const total = raw.reduce((sum, weight, k) => sum + (k === 0 ? weight : 2 * weight), 0);
  const draw: Draw = {
    ...crop,
    flip: flip < d.flip,
    jitter,
    brightness: factor(light, d.brightness),
    contrast: factor(contrastWord, d.contrast),
    saturation: factor(tint, d.saturation),
    hue: jitter ? d.hue * (2 * hueWord - 1) : 0,
    order,
    gray: uniform01(grayBits) < d.gray,
    sigma: isBlurred ? sigma : 0,
    weights: raw.map((weight) => weight / total),
    threshold: uniforms(25)[0] < d.solarize ? d.threshold : 2,
  };
  return { draw, margin };
}

type Image = { readonly height: number; readonly width: number; readonly channels: Float64Array[] };

export interface ImageSpec {
  readonly layout: {
    readonly height: number;
    readonly width: number;
    readonly channels: number;
    readonly imageStride: number;
    readonly channelStride: number;
    readonly rowStride: number;
    readonly columnStride: number;
    readonly offset: number;
  };
  readonly outHeight: number;
  readonly outWidth: number;
  readonly cubic: number | undefined;
  readonly samples: number;
  readonly isInteger: boolean;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Red, green and blue as the lower three bytes of a word per pixel. */
export function packed(pixels: Uint8Array, layout: ImageSpec["layout"], count: number): Uint32Array {
  const words: number[] = [];
  for (let image = 0; image < count; image++) {
    for (let row = 0; row < layout.height; row++) {
      for (let column = 0; column < layout.width; column++) {
        const place =
          layout.offset + image * layout.imageStride + row * layout.rowStride + column * layout.columnStride;
        const [r, g, b] = [0, 1, 2].map((c) => pixels[place + (layout.channels === 1 ? 0 : c) * layout.channelStride]!);
        words.push(r! + 256 * g! + 65_536 * b!);
      }
    }
  }
  return Uint32Array.from(words);
}

/** One view, [h, w, 4] row-major, the fourth channel 0. */
export function augmentedImage(pixels: Uint8Array, image: number, draw: Draw, spec: ImageSpec): Float64Array {
  const { layout } = spec;
  let view = resized(sourceImage(pixels, image, layout), draw, spec);
  if (draw.flip) view = mapped(view, (c, row, column) => at(view, c, row, view.width - 1 - column));
  if (draw.jitter) for (const operation of draw.order) view = recolored(view, operation, draw);
  if (draw.gray) {
    const source = view;
    view = mapped(source, (_, row, column) => luma(source, row, column));
  }
  for (const vertical of [false, true]) view = blurred(view, draw.weights, vertical);
  const y = new Float64Array(4 * view.height * view.width);
  for (let pixel = 0; pixel < view.height * view.width; pixel++) {
    for (let c = 0; c < 3; c++) {
      const x = view.channels[c]![pixel]!;
      y[4 * pixel + c] = ((x >= draw.threshold ? 1 - x : x) - spec.mean[c]!) / spec.std[c]!;
    }
  }
  return y;
}

function sourceImage(pixels: Uint8Array, image: number, layout: ImageSpec["layout"]): Image {
  const channels = [0, 1, 2].map((c) => {
    const plane = new Float64Array(layout.height * layout.width);
    for (let row = 0; row < layout.height; row++) {
      for (let column = 0; column < layout.width; column++) {
        const byte =
          layout.offset +
          image * layout.imageStride +
          (layout.channels === 1 ? 0 : c) * layout.channelStride +
          row * layout.rowStride +
          column * layout.columnStride;
        plane[row * layout.width + column] = pixels[byte]! / 255;
      }
    }
    return plane;
  });
  return { height: layout.height, width: layout.width, channels };
}

function at(image: Image, channel: number, row: number, column: number): number {
  return image.channels[channel]![row * image.width + column]!;
}

function mapped(image: Image, value: (channel: number, row: number, column: number) => number): Image {
  const channels = image.channels.map((plane, c) =>
    plane.map((_, i) => value(c, Math.floor(i / image.width), i % image.width)),
  );
  return { ...image, channels };
}

function clamp(x: number, low = 0, high = 1): number {
  return Math.min(high, Math.max(low, x));
}

/** Weights of the taps floor(position) − 1 … + 2 (bicubic) or 0 … 1 (bilinear). */
function taps(position: number, cubic: number | undefined): { first: number; weights: number[] } {
  const base = Math.floor(position);
  const t = position - base;
  if (cubic === undefined) return { first: base, weights: [1 - t, t] };
  const a = cubic;
  const near = (x: number) => (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  const far = (x: number) => a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a;
  return { first: base - 1, weights: [far(1 + t), near(t), near(1 - t), far(2 - t)] };
}

function resized(source: Image, draw: Draw, spec: ImageSpec): Image {
  const { outHeight, outWidth, samples, isInteger, cubic } = spec;
  const value = (c: number, y: number, x: number): number => {
    // Where a tap lies in the source: in the crop as if cut out, or in the whole image.
    const place = (tap: number, corner: number, side: number, extent: number) =>
      isInteger ? corner + clamp(tap, 0, side - 1) : clamp(tap, 0, extent - 1);
    const vertical = taps(isInteger ? y : draw.top + y, cubic);
    const horizontal = taps(isInteger ? x : draw.left + x, cubic);
    let sum = 0;
    vertical.weights.forEach((wy, i) => {
      const row = place(vertical.first + i, draw.top, draw.height, source.height);
      horizontal.weights.forEach((wx, j) => {
        const column = place(horizontal.first + j, draw.left, draw.width, source.width);
        sum += wy * wx * at(source, c, row, column);
      });
    });
    return sum;
  };
  const blank: Image = {
    height: outHeight,
    width: outWidth,
    channels: [0, 1, 2].map(() => new Float64Array(outHeight * outWidth)),
  };
  return mapped(blank, (c, row, column) => {
    let sum = 0;
    for (let sy = 0; sy < samples; sy++) {
      for (let sx = 0; sx < samples; sx++) {
        const y = ((row + (sy + 0.5) / samples) * draw.height) / outHeight - 0.5;
        const x = ((column + (sx + 0.5) / samples) * draw.width) / outWidth - 0.5;
        sum += value(c, y, x);
      }
    }
    return clamp(sum / samples ** 2);
  });
}

function luma(image: Image, row: number, column: number): number {
  return 0.2989 * at(image, 0, row, column) + 0.587 * at(image, 1, row, column) + 0.114 * at(image, 2, row, column);
}

function recolored(image: Image, operation: string, draw: Draw): Image {
  const blend = (x: number, other: number, factor: number) => clamp(factor * x + (1 - factor) * other);
  if (operation === "brightness") return mapped(image, (c, r, k) => blend(at(image, c, r, k), 0, draw.brightness));
  if (operation === "contrast") {
    let sum = 0;
    for (let row = 0; row < image.height; row++) {
      for (let column = 0; column < image.width; column++) sum += luma(image, row, column);
    }
    const mean = sum / (image.height * image.width);
    return mapped(image, (c, r, k) => blend(at(image, c, r, k), mean, draw.contrast));
  }
  if (operation === "saturation") {
    return mapped(image, (c, r, k) => blend(at(image, c, r, k), luma(image, r, k), draw.saturation));
  }
  return mapped(image, (c, r, k) => {
    const rgb = [0, 1, 2].map((channel) => at(image, channel, r, k)) as [number, number, number];
    return toRgb(turned(toHsv(rgb), draw.hue))[c]!;
  });
}

function toHsv([r, g, b]: readonly [number, number, number]): [number, number, number] {
  const value = Math.max(r, g, b);
  const chroma = value - Math.min(r, g, b);
  if (chroma === 0) return [0, 0, value];
  const [rc, gc, bc] = [(value - r) / chroma, (value - g) / chroma, (value - b) / chroma];
  const sixths = r === value ? bc - gc : g === value ? 2 + rc - bc : 4 + gc - rc;
  return [(sixths / 6 + 1) % 1, chroma / value, value];
}

function turned([h, s, v]: readonly [number, number, number], shift: number): [number, number, number] {
  return [(((h + shift) % 1) + 1) % 1, s, v];
}

function toRgb([h, s, v]: readonly [number, number, number]): [number, number, number] {
  const sector = Math.floor(h * 6);
  const f = h * 6 - sector;
  const [p, q, t] = [clamp(v * (1 - s)), clamp(v * (1 - s * f)), clamp(v * (1 - s * (1 - f)))];
  const cases: [number, number, number][] = [
    [v, t, p],
    [q, v, p],
    [p, v, t],
    [p, q, v],
    [t, p, v],
    [v, p, q],
  ];
  return cases[sector % 6]!;
}

function blurred(image: Image, weights: readonly number[], vertical: boolean): Image {
  const extent = vertical ? image.height : image.width;
  const reflect = (place: number) => (place < 0 ? -place : place >= extent ? 2 * (extent - 1) - place : place);
  return mapped(image, (c, row, column) => {
    let sum = 0;
    for (let k = 1 - weights.length; k < weights.length; k++) {
      const place = reflect((vertical ? row : column) + k);
      sum += weights[Math.abs(k)]! * (vertical ? at(image, c, place, column) : at(image, c, row, place));
    }
    return sum;
  });
}
