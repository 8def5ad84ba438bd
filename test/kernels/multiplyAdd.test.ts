/** multiply_add: the kernel that measures the adapter's arithmetic ceiling computes every step that its rate counts. */
import { describe, expect, it } from "vitest";
import { multiplyAdd } from "../../src/kernels/library.ts";
import * as oracle from "../oracle/multiplyAdd.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { runF32, unwritten } from "./runF32.ts";

const engine = useEngine();

interface Case {
  readonly groups: number;
  readonly WG: number;
  readonly CHAINS: number;
  readonly rounds: number;
  readonly factor: number;
  readonly shift?: number;
}

describe("multiply_add", () => {
  // A factor near 1 keeps the start visible after all steps: a step too many or too few shows.
  it.each<Case>([
    { groups: 1, WG: 1, CHAINS: 1, rounds: 1, factor: 0.75 },
    { groups: 3, WG: 8, CHAINS: 4, rounds: 2, factor: -0.5 },
    { groups: 2, WG: 64, CHAINS: 8, rounds: 7, factor: 0.96875 },
    { groups: 2, WG: 16, CHAINS: 16, rounds: 5, factor: 0.96875, shift: 0 },
    { groups: 1, WG: 8, CHAINS: 8, rounds: 0, factor: 0.5 },
  ])("$groups × $WG invocations, $CHAINS chains, $rounds rounds, factor $factor", async (options) => {
    const { groups, WG, CHAINS, rounds, factor, shift = -1.25 } = options;
    const start = 0.375;
    const invocations = groups * WG;
    const y = await runF32(engine(), multiplyAdd, {
      buffers: { y: unwritten(4 * invocations) },
      params: { groups, rounds, factor, shift, start },
      knobs: { WG, CHAINS },
    });
    const spec = { invocations, chains: CHAINS, rounds, factor, shift, start };
    // |x| never exceeds its start and the fixed point together, so that a step's two roundings are at most 2u of that.
    const magnitudes = Float64Array.from({ length: 4 * invocations }, (_, at) =>
      Array.from(
        { length: CHAINS },
        (_, c) => start + Math.floor(at / 4) + c + Math.abs(shift) / (1 - Math.abs(factor)),
      ).reduce((sum, magnitude) => sum + magnitude, 0),
    );
    expect(y).toMatchOracle(oracle.multiplyAdd(spec), {
      factor: gamma(CHAINS + 1 + Math.ceil(2 / (1 - Math.abs(factor)))),
      scale: magnitudes,
    });
  });
});
