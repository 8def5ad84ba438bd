/** Locally connected layers with a trial dimension: separate small linear maps for every node and trial. */
import type { KernelCall } from "../kernels/call.ts";
import { ceilDiv } from "../kernels/grid.ts";
import { conv2dSplitSum, locallyConnected, locallyConnectedGrad } from "../kernels/library.ts";
import {
  elementCount,
  type OpDefinition,
  type Operand,
  operand,
  requireF32,
  requireInputs,
  shapeError,
  type Target,
  type TensorSpec,
} from "./opDefinition.ts";

export interface LocallyConnectedAttributes {
  /** Apply max(·, 0) to the inputs. */
  readonly relu: boolean;
}

export interface LocallyConnectedGradAttributes extends LocallyConnectedAttributes {
  /** The cotangent of the inputs is wanted, that of the weights. */
  readonly needsInput: boolean;
  readonly needsWeight: boolean;
  /** Keep the cotangents of the weights of every view apart, [views, trials, …]; otherwise they are added up. */
  readonly perView: boolean;
}

/** Most outputs of a node: loops over them are written out. */
export const MAX_FAN_OUT = 128;

interface LocalShape {
  readonly views: number;
  readonly trials: number;
  readonly rows: number;
  readonly nodes: number;
  readonly fan_in: number;
  readonly fan_out: number;
}

/** x f32[views, trials, rows, nodes·fan_in], w f32[trials, nodes, fan_out, fan_in + 1]. */
function shapeOf(op: string, inputs: readonly TensorSpec[], x: TensorSpec, w: TensorSpec): LocalShape {
  const [views = 0, trials = 0, rows = 0, features = 0] = x.shape;
  const [wTrials = 0, nodes = 0, fan_out = 0, columns = 0] = w.shape;
  const fan_in = columns - 1;
  if (x.shape.length !== 4 || w.shape.length !== 4 || wTrials !== trials || fan_in < 1 || features !== nodes * fan_in) {
    throw shapeError(
      op,
      inputs,
      "needs [views, trials, rows, nodes·fan_in] and weights [trials, nodes, fan_out, fan_in + 1]",
      "Give every node as many inputs as its weights have columns, without the bias.",
    );
  }
  if (fan_out > MAX_FAN_OUT) {
    throw shapeError(op, inputs, `a node has ${fan_out} outputs`, `Use at most ${MAX_FAN_OUT} outputs a node.`);
  }
  return { views, trials, rows, nodes, fan_in, fan_out };
}

/** Inputs: x [views, trials, rows, nodes·fan_in], weights [trials, nodes, fan_out, fan_in + 1]; output [views, trials, rows, nodes·fan_out]. */
export const locallyConnectedOp: OpDefinition<LocallyConnectedAttributes> = {
  name: "locallyConnected",
  infer(inputs) {
    requireInputs("locallyConnected", inputs, 2);
    requireF32("locallyConnected", inputs);
    const shape = shapeOf("locallyConnected", inputs, operand(inputs, 0), operand(inputs, 1));
    const { views, trials, rows, nodes, fan_out } = shape;
    return [{ shape: [views, trials, rows, nodes * fan_out], dtype: "f32" }];
  },
  flops(inputs, outputs) {
    return 2 * elementCount(operand(outputs, 0).shape) * (operand(operand(inputs, 1).shape, 3) - 1);
  },
  lower({ inputs, attributes, target }) {
    const shape = shapeOf("locallyConnected", inputs, operand(inputs, 0), operand(inputs, 1));
    const { fan_in, fan_out } = shape;
    const tile = forwardTile(fan_in, fan_out);
    const { parts, workgroup } = division(shape.rows, target);
    return [
      {
        kernel: locallyConnected,
        knobs: {
          WG: workgroup,
          FLAT: target.isSoftware,
          IN: tile.inputs,
          OUT: tile.outputs,
          CHUNKED: tile.inputs < fan_in,
          RELU: attributes.relu,
        },
        params: { ...shape, parts },
        bindings: {
          x: { kind: "input", index: 0 },
          w: { kind: "input", index: 1 },
          y: { kind: "output", index: 0 },
        },
      },
    ];
  },
};

/**
 * Inputs: dy [views, trials, rows, nodes·fan_out], x (of one view, which all of dy's share, or of dy's views), weights. Outputs, as
 * needed: dx [views, trials, rows, nodes·fan_in]; dw of the weights' shape, or with `perView` [views, …], each view's padded to a
 * multiple of 4 elements: [views, 4·⌈elements/4⌉].
 */
export const locallyConnectedGradOp: OpDefinition<LocallyConnectedGradAttributes> = {
  name: "locallyConnectedGrad",
  infer(inputs, { needsInput, needsWeight, perView }) {
    requireInputs("locallyConnectedGrad", inputs, 3);
    requireF32("locallyConnectedGrad", inputs);
    const { views, trials, rows, nodes, fan_in } = gradShape(inputs);
    const w = operand(inputs, 2);
    const dx = { shape: [views, trials, rows, nodes * fan_in], dtype: "f32" } as const;
    const dw = { shape: perView ? [views, sliceElements(w)] : w.shape, dtype: "f32" } as const;
    return [...(needsInput ? [dx] : []), ...(needsWeight ? [dw] : [])];
  },
  flops(inputs, _outputs, { needsInput, needsWeight }) {
    const { fan_in } = gradShape(inputs);
    return 2 * elementCount(operand(inputs, 0).shape) * fan_in * (Number(needsInput) + Number(needsWeight));
  },
  lower({ inputs, attributes, target }) {
    const shape = gradShape(inputs);
    const { needsInput, needsWeight } = attributes;
    // On GPUs the two are dispatches of their own: registers for both at once would leave few waves.
    const isFused = target.isSoftware;
    const passes =
      isFused || !needsInput || !needsWeight
        ? [{ needsInput, needsWeight }]
        : [
            { needsInput: true, needsWeight: false },
            { needsInput: false, needsWeight: true },
          ];
    return passes.flatMap((pass) => gradCalls(inputs, shape, { ...attributes, ...pass }, needsInput ? 1 : 0, target));
  },
};

function gradShape(inputs: readonly TensorSpec[]): LocalShape & { readonly x_views: number } {
  const [dy, x, w] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
  const own = shapeOf("locallyConnectedGrad", inputs, x, w);
  const [views = 0, trials = 0, rows = 0, features = 0] = dy.shape;
  const isShared = own.views === 1;
  if (
    trials !== own.trials ||
    rows !== own.rows ||
    features !== own.nodes * own.fan_out ||
    (!isShared && views !== own.views)
  ) {
    throw shapeError(
      "locallyConnectedGrad",
      inputs,
      "the cotangent does not belong to the layer's output",
      "Give one cotangent for each output, and one view of inputs or as many as of cotangents.",
    );
  }
  return { ...own, views, x_views: own.views };
}

function sliceElements(w: TensorSpec): number {
  return 4 * ceilDiv(elementCount(w.shape), 4);
}

function gradCalls(
  inputs: readonly TensorSpec[],
  shape: LocalShape & { readonly x_views: number },
  { relu, needsInput, needsWeight, perView }: LocallyConnectedGradAttributes,
  weightOutput: number,
  target: Target,
): KernelCall[] {
  const { rows, views, fan_in, fan_out } = shape;
  const slice = sliceElements(operand(inputs, 2));
  const { parts, workgroup } = needsWeight ? division(rows, target, WEIGHT_ROWS) : division(rows, target);
  const limit = target.isSoftware ? TILE : needsWeight ? GPU_WEIGHT_TILE : TILE;
  const dw: Operand = { kind: "output", index: weightOutput };
  // Partial sums that one dispatch more adds up.
  const splits = parts * (perView ? 1 : views);
  const hasSum = needsWeight && splits > 1;
  const partial: Operand = hasSum ? { kind: "scratch", name: "partial", elements: parts * views * slice } : dw;
  const calls: KernelCall[] = [
    {
      kernel: locallyConnectedGrad,
      knobs: {
        WG: workgroup,
        FLAT: target.isSoftware,
        IN: largestDivisor(fan_in, Math.max(1, Math.floor(limit / fan_out))),
        OUT: fan_out,
        RELU: relu,
        INPUT: needsInput,
        WEIGHT: needsWeight,
      },
      params: { ...shape, parts, slice },
      bindings: {
        dy: { kind: "input", index: 0 },
        x: { kind: "input", index: 1 },
        w: { kind: "input", index: 2 },
        dx: needsInput ? { kind: "output", index: 0 } : { kind: "unused" },
        partial: needsWeight ? partial : { kind: "unused" },
      },
    },
  ];
  if (hasSum) {
    calls.push({
      kernel: conv2dSplitSum,
      knobs: { WG: target.isSoftware ? 16 : 64 },
      params: { quads: (perView ? views : 1) * (slice / 4), splits },
      bindings: { partial, y: dw },
    });
  }
  return calls;
}

/** Weights that an invocation keeps in registers. */
const TILE = 240;
const GPU_WEIGHT_TILE = 48;
/** Rows that one invocation passes over on software adapters, and on GPUs for a sum over rows. */
const SOFTWARE_ROWS = 64;
const WEIGHT_ROWS = 32;

/**
 * Into how many parts rows are divided. It depends on the rows alone: a trial's sums have the same order, hence bits, whatever other
 * trials run beside it.
 */
function division(
  rows: number,
  { isSoftware }: Target,
  gpuRows = 1,
): { readonly parts: number; readonly workgroup: number } {
  return { parts: ceilDiv(rows, isSoftware ? SOFTWARE_ROWS : gpuRows), workgroup: isSoftware ? 4 : 64 };
}

/**
 * Inputs and outputs of a forward tile: divisors whose product is at most TILE, with the fewest loads and stores a multiply-add. A row
 * costs its inputs, its outputs' stores, and their loads again where a tile has not all inputs.
 */
function forwardTile(fanIn: number, fanOut: number): { readonly inputs: number; readonly outputs: number } {
  let best = { inputs: 1, outputs: 1, cost: Number.POSITIVE_INFINITY };
  for (const inputs of divisors(fanIn)) {
    for (const outputs of divisors(fanOut)) {
      if (inputs * outputs > TILE) continue;
      const cost = (inputs + outputs * (inputs < fanIn ? 2 : 1)) / (inputs * outputs);
      if (cost < best.cost) best = { inputs, outputs, cost };
    }
  }
  return best;
}

function divisors(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1).filter((candidate) => n % candidate === 0);
}

function largestDivisor(n: number, limit: number): number {
  return Math.max(...divisors(n).filter((divisor) => divisor <= limit));
}
