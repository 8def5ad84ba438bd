/** The numbers drawn for one (view, image), read back: the twin of shaders/lib/augment_record.wgsl. */
import { DRAW_HEADER } from "../ops/augment.ts";

/** Colour operations by their code in the drawn order. */
export const COLOR_OPERATIONS = ["brightness", "contrast", "saturation", "hue"] as const;
export type ColorOperation = (typeof COLOR_OPERATIONS)[number];

export interface Draw {
  /** The crop in pixels of the source. */
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly flip: boolean;
  /** Whether colours change; otherwise the factors are 1, 1, 1 and the hue 0. */
  readonly jitter: boolean;
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  /** Turns. */
  readonly hue: number;
  readonly order: readonly ColorOperation[];
  readonly gray: boolean;
  /** Standard deviation of the blur in pixels of the view; 0 without. */
  readonly sigma: number;
  /** Weights of the blur, the middle one first; [1] without. */
  readonly weights: readonly number[];
  /** 2 without solarisation. */
  readonly threshold: number;
}

/**
 * @param draws  f32[views, images, record], as read back
 * @param record floats of one record, `drawRecordLength(radius)`
 * @param item   view·images + image
 */
export function decodeDraw(draws: ArrayLike<number>, record: number, item: number): Draw {
  const at = (field: number): number => draws[item * record + field] ?? Number.NaN;
  const order = at(10);
  const taps = at(13);
  return {
    top: at(0),
    left: at(1),
    height: at(2),
    width: at(3),
    flip: at(4) !== 0,
    jitter: at(5) !== 0,
    brightness: at(6),
    contrast: at(7),
    saturation: at(8),
    hue: at(9),
    order: [0, 2, 4, 6].map((shift) => COLOR_OPERATIONS[(order >> shift) & 3] ?? "brightness"),
    gray: at(11) !== 0,
    sigma: at(12),
    weights: Array.from({ length: taps + 1 }, (_, k) => at(DRAW_HEADER + k)),
    threshold: at(14),
  };
}
