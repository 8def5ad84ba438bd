/** Colours of the curves: an order that survives every kind of colour blindness and greyscale printing (dark to light). */

/** Stops after viridis (Smith & van der Walt 2015), without its ends: yellow vanishes on white, and black is the colour of theory. */
const STOPS: readonly (readonly [number, number, number])[] = [
  [92, 40, 130],
  [66, 62, 133],
  [54, 92, 141],
  [39, 127, 142],
  [31, 161, 135],
  [90, 191, 92],
];

/** Colour of mode j of d, first mode darkest. */
export function modeColor(j: number, d: number): string {
  const at = d <= 1 ? 0 : (j / (d - 1)) * (STOPS.length - 1);
  const low = STOPS[Math.floor(at)] ?? [0, 0, 0];
  const high = STOPS[Math.min(Math.floor(at) + 1, STOPS.length - 1)] ?? low;
  const share = at - Math.floor(at);
  const mixed = low.map((value, i) => Math.round(value + share * ((high[i] ?? value) - value)));
  return `rgb(${mixed.join(" ")})`;
}

export const INK = { theory: "#1b2330", axis: "#4a5568", grid: "#e6e9ef", loss: "#b4431f", weak: "#8a94a6" } as const;
