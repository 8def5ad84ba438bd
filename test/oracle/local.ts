/** Reference of shaders/local: separate linear maps for every node and trial, in float64. */

export interface LocalShape {
  readonly views: number;
  readonly trials: number;
  readonly rows: number;
  readonly nodes: number;
  readonly fanIn: number;
  readonly fanOut: number;
  readonly relu: boolean;
}

/** Values, and for every one the sum of the magnitudes of its terms. */
export interface WithScale {
  readonly values: Float64Array;
  readonly scale: Float64Array;
}

/** y = W·u + b by node and trial, u = max(x, 0) with `relu`; the last column of W is b. */
export function locallyConnected(x: ArrayLike<number>, w: ArrayLike<number>, shape: LocalShape): WithScale {
  const { views, trials, rows, nodes, fanIn, fanOut, relu } = shape;
  const values = new Float64Array(views * trials * rows * nodes * fanOut);
  const scale = new Float64Array(values.length);
  eachRow(shape, (row, trial, node) => {
    for (let o = 0; o < fanOut; o++) {
      const weights = ((trial * nodes + node) * fanOut + o) * (fanIn + 1);
      let [sum, absolute] = [w[weights + fanIn]!, Math.abs(w[weights + fanIn]!)];
      for (let i = 0; i < fanIn; i++) {
        const input = x[(row * nodes + node) * fanIn + i]!;
        const term = w[weights + i]! * (relu ? Math.max(input, 0) : input);
        sum += term;
        absolute += Math.abs(term);
      }
      values[(row * nodes + node) * fanOut + o] = sum;
      scale[(row * nodes + node) * fanOut + o] = absolute;
    }
  });
  return { values, scale };
}

/** Calls with the row over all views and trials, the trial and the node. */
function eachRow(
  { views, trials, rows, nodes }: LocalShape,
  visit: (row: number, trial: number, node: number) => void,
): void {
  for (let row = 0; row < views * trials * rows; row++) {
    for (let node = 0; node < nodes; node++) visit(row, Math.floor(row / rows) % trials, node);
  }
}

/**
 * Cotangents of inputs and weights. `dw` is [views, trials, nodes, fanOut, fanIn + 1], each view by itself; x has one view for all of dy
 * with `sharedInput`.
 */
export function locallyConnectedGrad(
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  shape: LocalShape,
  sharedInput = false,
): { dx: WithScale; dw: WithScale } {
  const { views, trials, rows, nodes, fanIn, fanOut, relu } = shape;
  const result = (length: number): WithScale => ({ values: new Float64Array(length), scale: new Float64Array(length) });
  const dx = result(views * trials * rows * nodes * fanIn);
  const dw = result(views * trials * nodes * fanOut * (fanIn + 1));
  const add = ({ values, scale }: WithScale, at: number, term: number): void => {
    values[at]! += term;
    scale[at]! += Math.abs(term);
  };
  eachRow(shape, (row, trial, node) => {
    const xRow = sharedInput ? row % (trials * rows) : row;
    const view = Math.floor(row / (trials * rows));
    for (let o = 0; o < fanOut; o++) {
      const cotangent = dy[(row * nodes + node) * fanOut + o]!;
      const own = ((trial * nodes + node) * fanOut + o) * (fanIn + 1);
      const weights = view * trials * nodes * fanOut * (fanIn + 1) + own;
      add(dw, weights + fanIn, cotangent);
      for (let i = 0; i < fanIn; i++) {
        const input = x[(xRow * nodes + node) * fanIn + i]!;
        add(dw, weights + i, cotangent * (relu ? Math.max(input, 0) : input));
        if (!relu || input > 0) add(dx, (row * nodes + node) * fanIn + i, cotangent * w[own + i]!);
      }
    }
  });
  return { dx, dw };
}

/** Σ over views of what `locallyConnectedGrad` keeps apart. */
export function overViews({ values, scale }: WithScale, views: number): WithScale {
  const length = values.length / views;
  const total = (of: Float64Array) =>
    Float64Array.from({ length }, (_, i) => {
      let sum = 0;
      for (let view = 0; view < views; view++) sum += of[view * length + i]!;
      return sum;
    });
  return { values: total(values), scale: total(scale) };
}
