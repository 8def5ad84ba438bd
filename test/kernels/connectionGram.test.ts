import { describe, expect, it } from "vitest";
import { Graph } from "../../src/autodiff/graph.ts";
import { connectionGram } from "../../src/kernels/library.ts";
import { connectionGramOp } from "../../src/ops/connectionGram.ts";
import * as oracle from "../oracle/connectionGram.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { runF32, unwritten, VALUE_SETS, values } from "./runF32.ts";

const engine = useEngine();

describe("connection_gram", () => {
  // One product, one rounding: γ_1·|y|.
  const check = async (outputs: number, samples: number, jj: Float32Array, ff: Float32Array, WG: number) => {
    const params = { outputs, samples };
    const y = await runF32(engine(), connectionGram, {
      buffers: { jj, ff, y: unwritten(jj.length) },
      params,
      knobs: { WG },
    });
    const expected = oracle.connectionGram(jj, ff, params);
    // Products below f32's normal range may be flushed.
    expect(y).toMatchOracle(expected, { factor: gamma(1), scale: expected.map(Math.abs), absolute: 2 ** -126 });
  };

  // Orders 1, primes, one below, at and above a workgroup's 64 elements, one output, one sample, several workgroups.
  for (const [outputs, samples] of [
    [1, 1],
    [1, 7],
    [7, 1],
    [2, 2],
    [3, 5],
    [2, 4],
    [4, 2],
    [3, 3],
    [5, 13],
  ] as const) {
    it(`${outputs} outputs of ${samples} samples`, async () => {
      const random = new TestRandom(outputs * 100 + samples);
      const [jj, ff] = [random.normals((outputs * samples) ** 2), random.normals(samples ** 2)];
      await check(outputs, samples, jj, ff, 16);
      await check(outputs, samples, jj, ff, 64);
    });
  }

  for (const set of VALUE_SETS) {
    it(`${set} values`, async () => {
      const random = new TestRandom(5);
      await check(3, 11, values(set, 33 ** 2, random), values(set, 121, random), 64);
    });
  }

  it("more than 65,535 workgroups fold into y", async () => {
    const [outputs, samples] = [3, 171];
    const jj = Float32Array.from({ length: (outputs * samples) ** 2 }, (_, at) => at % 1009);
    const ff = Float32Array.from({ length: samples ** 2 }, (_, at) => at % 31);
    await check(outputs, samples, jj, ff, 1);
  });

  it("shapes that do not belong together are refused", () => {
    const graph = new Graph();
    const [jj, ff] = [graph.input("jj", [6, 6]), graph.input("ff", [4, 4])];
    expect(() => graph.add(connectionGramOp, [jj, ff], {})).toThrow(/connectionGram.*\[6, 6\] and \[4, 4\]/);
  });
});
