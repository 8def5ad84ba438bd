/** Scales, ticks and their labels; `d3-scale` finds the linear ticks. */
import { scaleLinear } from "d3-scale";

export type ScaleName = "log" | "linear";

export interface Axis {
  readonly scale: ScaleName;
  /** Ascending; both positive on a logarithmic axis. */
  readonly domain: readonly [number, number];
  readonly label: string;
}

export interface Tick {
  readonly value: number;
  /** Empty for a minor tick. */
  readonly label: string;
}

/** From data to pixels. Two lines instead of d3's scale, which costs a report of a million points half a second. */
export function scaleOf({ scale, domain }: Axis, range: readonly [number, number]): (value: number) => number {
  const transform = scale === "log" ? Math.log : (value: number) => value;
  const start = transform(domain[0]);
  const slope = (range[1] - range[0]) / (transform(domain[1]) - start);
  return (value) => range[0] + slope * (transform(value) - start);
}

/** Ticks with labels; on a logarithmic axis, the decades (thinned if there are many) and minor ticks between them. */
export function ticksOf({ scale, domain }: Axis, most: number): Tick[] {
  if (scale === "linear") {
    const made = scaleLinear(domain, [0, 1]);
    const format = made.tickFormat(most);
    return made.ticks(most).map((value) => ({ value, label: format(value) }));
  }
  return logTicks(domain, most);
}

function logTicks([from, to]: readonly [number, number], most: number): Tick[] {
  const decades = Math.log10(to / from);
  // With few decades, 2 and 5 get labels, too; with less than one, all digits.
  const digits = decades < 0.7 ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : decades < 3.5 ? [1, 2, 5] : [1];
  const stride = Math.max(1, Math.ceil(decades / most));
  const ticks: Tick[] = [];
  for (let exponent = Math.floor(Math.log10(from)); exponent <= Math.ceil(Math.log10(to)); exponent++) {
    for (let digit = 1; digit <= 9; digit++) {
      // Not digit * 10 ** exponent, which is 0.30000000000000004.
      const value = Number(`${digit}e${exponent}`);
      if (value < from * (1 - 1e-9) || value > to * (1 + 1e-9)) continue;
      const hasLabel = digits.includes(digit) && (digit > 1 || exponent % stride === 0);
      if (!hasLabel && stride > 1 && digit > 1) continue;
      ticks.push({ value, label: hasLabel ? powerLabel(value, digit, exponent) : "" });
    }
  }
  return ticks;
}

/** `0.01`, `20`, and beyond these `10⁻⁵`, `2·10⁵`. */
function powerLabel(value: number, digit: number, exponent: number): string {
  if (exponent >= -2 && exponent <= 3) return String(value);
  const power = `10${[...String(exponent)].map((sign) => SUPERSCRIPTS[sign] ?? sign).join("")}`;
  return digit === 1 ? power : `${digit}·${power}`;
}

const SUPERSCRIPTS: Readonly<Record<string, string>> = {
  "-": "⁻",
  "0": "⁰",
  "1": "¹",
  "2": "²",
  "3": "³",
  "4": "⁴",
  "5": "⁵",
  "6": "⁶",
  "7": "⁷",
  "8": "⁸",
  "9": "⁹",
};
