/** Locally connected layers run on the test device and held against float64, by shape; the default tests and the long ones share it. */
import { expect } from "vitest";
import { Graph } from "../../src/autodiff/graph.ts";
import type { Engine } from "../../src/device/engine.ts";
import { locallyConnectedGradOp, locallyConnectedOp } from "../../src/ops/locallyConnected.ts";
import { operand, type Target } from "../../src/ops/opDefinition.ts";
import { type LocalShape, locallyConnected, locallyConnectedGrad, overViews } from "../oracle/local.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { bitsOf } from "./runF32.ts";

const GPU_TARGET: Target = { isSoftware: false, matmulFamily: "workgroup" };
export const TARGETS = [
  ["software", REGISTER_TARGET],
  ["GPU", GPU_TARGET],
] as const;

export const base: LocalShape = { views: 3, trials: 2, rows: 70, nodes: 3, fanIn: 6, fanOut: 5, relu: true };

export function tensors(shape: LocalShape, seed: number) {
  const { views, trials, rows, nodes, fanIn, fanOut } = shape;
  const random = new TestRandom(seed);
  return {
    x: random.normals(views * trials * rows * nodes * fanIn),
    w: random.normals(trials * nodes * fanOut * (fanIn + 1)),
    dy: random.normals(views * trials * rows * nodes * fanOut),
  };
}

export async function forward(engine: Engine, shape: LocalShape, data: ReturnType<typeof tensors>, target: Target) {
  const { views, trials, rows, nodes, fanIn, fanOut, relu } = shape;
  const graph = new Graph();
  const x = graph.input("x", [views, trials, rows, nodes * fanIn]);
  const w = graph.input("w", [trials, nodes, fanOut, fanIn + 1]);
  const y = operand(graph.add(locallyConnectedOp, [x, w], { relu }), 0);
  return (await evaluate(engine, graph, data, { y }, target)).y;
}

interface Wanted {
  readonly needsInput: boolean;
  readonly needsWeight: boolean;
  readonly perView: boolean;
}

export async function backward(
  engine: Engine,
  shape: LocalShape,
  data: ReturnType<typeof tensors>,
  target: Target,
  {
    needsInput = true,
    needsWeight = true,
    perView = false,
    xViews = shape.views,
  }: Partial<Wanted> & { xViews?: number } = {},
) {
  const { views, trials, rows, nodes, fanIn, fanOut, relu } = shape;
  const graph = new Graph();
  const inputs = [
    graph.input("dy", [views, trials, rows, nodes * fanOut]),
    graph.input("x", [xViews, trials, rows, nodes * fanIn]),
    graph.input("w", [trials, nodes, fanOut, fanIn + 1]),
  ];
  const outputs = graph.add(locallyConnectedGradOp, inputs, { relu, needsInput, needsWeight, perView });
  const wanted = {
    ...(needsInput ? { dx: operand(outputs, 0) } : {}),
    ...(needsWeight ? { dw: operand(outputs, needsInput ? 1 : 0) } : {}),
  } as Record<"dx" | "dw", ReturnType<typeof graph.input>>;
  return evaluate(engine, graph, data, wanted, target);
}

export async function checkForward(engine: Engine, shape: LocalShape, target: Target): Promise<void> {
  const data = tensors(shape, 1);
  const { values, scale } = locallyConnected(data.x, data.w, shape);
  expect(await forward(engine, shape, data, target)).toMatchOracle(values, { factor: gamma(shape.fanIn + 1), scale });
}

/** @param alone also one cotangent without the other: other kernels, the same bits */
export async function checkBackward(engine: Engine, shape: LocalShape, target: Target, alone: boolean): Promise<void> {
  const data = tensors(shape, 2);
  const { dx, dw } = locallyConnectedGrad(data.dy, data.x, data.w, shape);
  const total = overViews(dw, shape.views);
  const found = await backward(engine, shape, data, target);
  expect(found.dx).toMatchOracle(dx.values, { factor: gamma(shape.fanOut), scale: dx.scale });
  // At most all rows of all views in one chain of additions.
  expect(found.dw).toMatchOracle(total.values, { factor: gamma(shape.rows * shape.views), scale: total.scale });
  if (!alone) return;
  const weights = await backward(engine, shape, data, target, { needsInput: false });
  expect(bitsOf(weights.dw)).toEqual(bitsOf(found.dw));
  const inputs = await backward(engine, shape, data, target, { needsWeight: false });
  expect(bitsOf(inputs.dx)).toEqual(bitsOf(found.dx));
}
