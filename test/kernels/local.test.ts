/** locally_connected and locally_connected_grad: values, both lowerings, tiles, bits that do not depend on what runs beside. */
import { describe, expect, it } from "vitest";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { locallyConnectedOp } from "../../src/ops/locallyConnected.ts";
import { operand } from "../../src/ops/opDefinition.ts";
import { type LocalShape, locallyConnectedGrad } from "../oracle/local.ts";
import { useEngine } from "../support/device.ts";
import { REGISTER_TARGET } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { backward, base, checkBackward, checkForward, forward, TARGETS, tensors } from "./localCases.ts";
import { bitsOf } from "./runF32.ts";

const engine = useEngine();

/** Tiles as wide as presets have them, which software adapters compile for seconds: test/long/locallyConnected.long.ts. */
const SHAPES: readonly Partial<LocalShape>[] = [
  {},
  { relu: false },
  { views: 1, trials: 1, rows: 1, nodes: 1, fanIn: 1, fanOut: 1 },
  { rows: 63, nodes: 1 },
  { rows: 64 },
  { rows: 65, views: 1 },
  { rows: 129, views: 2, trials: 1 },
  { fanIn: 2, fanOut: 10, relu: false, nodes: 4 },
  // A prime number of inputs, too many for the registers: chunks of one.
  { fanIn: 241, fanOut: 2, rows: 9, views: 1 },
];

describe.each(TARGETS)("%s", (_name, target) => {
  it.each(SHAPES)("locally_connected %o", (changes) => checkForward(engine(), { ...base, ...changes }, target));

  it.each(SHAPES)("locally_connected_grad %o", (changes) =>
    checkBackward(engine(), { ...base, ...changes }, target, changes === SHAPES[0]),
  );

  it("cotangents of several views of one input, weights of each view apart", async () => {
    const shape = { ...base, views: 5, rows: 130, nodes: 2 };
    const data = tensors({ ...shape, views: 1 }, 3);
    const { dy } = tensors(shape, 4);
    const { dx, dw } = locallyConnectedGrad(dy, data.x, data.w, shape, true);
    const found = await backward(engine(), shape, { ...data, dy }, target, { perView: true, xViews: 1 });
    expect(found.dx).toMatchOracle(dx.values, { factor: gamma(shape.fanOut), scale: dx.scale });
    const own = dw.values.length / shape.views;
    const padded = Math.ceil(own / 4) * 4;
    for (let view = 0; view < shape.views; view++) {
      const part = (of: Float64Array) => of.subarray(view * own, (view + 1) * own);
      const actual = found.dw.subarray(view * padded, view * padded + own);
      expect(actual).toMatchOracle(part(dw.values), { factor: gamma(shape.rows), scale: part(dw.scale) });
    }
  });

  it("a trial's results have the same bits alone and among others", async () => {
    const shape = { ...base, trials: 3, rows: 128 };
    const data = tensors(shape, 5);
    const all = { y: await forward(engine(), shape, data, target), ...(await backward(engine(), shape, data, target)) };
    const pick = (of: Float32Array<ArrayBuffer>, trial: number, views: number) => {
      const each = of.length / views / shape.trials;
      const parts = Array.from({ length: views }, (_, v) => [
        ...of.subarray((v * shape.trials + trial) * each).subarray(0, each),
      ]);
      return Float32Array.from(parts.flat());
    };
    for (let trial = 0; trial < shape.trials; trial++) {
      const own = { x: pick(data.x, trial, 3), w: pick(data.w, trial, 1), dy: pick(data.dy, trial, 3) };
      const one = { ...shape, trials: 1 };
      expect(bitsOf(await forward(engine(), one, own, target))).toEqual(
        bitsOf(pick(all.y as Float32Array<ArrayBuffer>, trial, 3)),
      );
      const alone = await backward(engine(), one, own, target);
      expect(bitsOf(alone.dx)).toEqual(bitsOf(pick(all.dx as Float32Array<ArrayBuffer>, trial, 3)));
      expect(bitsOf(alone.dw)).toEqual(bitsOf(pick(all.dw as Float32Array<ArrayBuffer>, trial, 1)));
    }
  });
});

describe("border", () => {
  const graph = new Graph();
  const x = graph.input("x", [1, 2, 4, 6]);
  it.each([
    ["trials that differ", [3, 2, 5, 4]],
    ["features that do not divide into nodes", [2, 2, 5, 5]],
    ["too many outputs", [2, 2, 129, 4]],
    ["no inputs", [2, 2, 5, 1]],
  ])("%s", (name, shape) => {
    const w = graph.input(name, shape);
    expect(() => graph.add(locallyConnectedOp, [x, w], { relu: false })).toThrow(
      expect.objectContaining({ code: "GRAPH-SHAPE" }),
    );
  });

  it("a tile is whole: chunks only where the inputs do not fit registers", () => {
    const knobsOf = (fanIn: number, fanOut: number) => {
      const g = new Graph();
      const y = operand(
        g.add(locallyConnectedOp, [g.input("x", [1, 1, 8, fanIn]), g.input("w", [1, 1, fanOut, fanIn + 1])], {
          relu: true,
        }),
        0,
      );
      return planGraph({ graph: g, programs: { main: [y] }, target: REGISTER_TARGET }).calls[0]?.knobs;
    };
    expect(knobsOf(20, 10)).toMatchObject({ IN: 20, OUT: 10, CHUNKED: false });
    expect(knobsOf(100, 50)).toMatchObject({ CHUNKED: true });
  });
});
