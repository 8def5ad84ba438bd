/** The matrix as a picture: one pixel an entry, dark for large, white for nothing; magnitudes by their logarithm. */

/** Decades below the largest entry of the matrix as given that still have a colour. */
const DECADES = 10;
/** From large to small; viridis (Smith & van der Walt 2015), run out into white. */
const STOPS: readonly (readonly [number, number, number])[] = [
  [68, 1, 84],
  [65, 68, 135],
  [42, 120, 142],
  [34, 168, 132],
  [122, 209, 81],
  [214, 232, 138],
  [246, 248, 230],
];

export class HeatMap {
  readonly #canvas: HTMLCanvasElement;
  #largest = 1;
  #n = 0;
  #entries: Float32Array = new Float32Array();

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
  }

  /** @param largest magnitude that gets the darkest colour */
  draw(entries: Float32Array, n: number, largest: number): void {
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    [this.#entries, this.#n, this.#largest] = [entries, n, largest];
    this.#canvas.width = n;
    this.#canvas.height = n;
    const image = context.createImageData(n, n);
    for (let at = 0; at < n * n; at++) image.data.set([...this.#colour(entries[at] ?? 0), 255], 4 * at);
    context.putImageData(image, 0, 0);
  }

  /** What lies under a pointer. */
  at(event: PointerEvent): { readonly row: number; readonly column: number; readonly value: number } | undefined {
    const box = this.#canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.#n);
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.#n);
    const value = this.#entries[row * this.#n + column];
    if (value === undefined || row < 0 || column < 0 || column >= this.#n) return undefined;
    return { row, column, value };
  }

  #colour(value: number): readonly number[] {
    const size = Math.abs(value) / this.#largest;
    return size > 10 ** -DECADES ? colourAt(Math.min(1, Math.max(0, -Math.log10(size) / DECADES))) : [255, 255, 255];
  }
}

/** The scale beside the picture, from the largest magnitude down. */
export function drawScale(canvas: HTMLCanvasElement): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const { width } = canvas;
  for (let x = 0; x < width; x++) {
    context.fillStyle = `rgb(${colourAt(x / (width - 1)).join(" ")})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
}

function colourAt(share: number): readonly number[] {
  const position = share * (STOPS.length - 1);
  const low = STOPS[Math.floor(position)] ?? [255, 255, 255];
  const high = STOPS[Math.min(Math.floor(position) + 1, STOPS.length - 1)] ?? low;
  return low.map((value, i) => Math.round(value + (position - Math.floor(position)) * ((high[i] ?? value) - value)));
}
