/** The bound that lib/log_one_plus.wgsl states, over dense sweeps. */
import { describe, expect, it } from "vitest";
import { ceilDiv, foldGrid } from "../../src/kernels/grid.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { runF32 } from "./runF32.ts";
import { testKernel } from "./testShader.ts";

const engine = useEngine();
const probe = testKernel("log_one_plus_probe", ({ count = 0 }) => foldGrid(ceilDiv(count, 64)));
const COUNT = 2 ** 17;

describe("log_one_plus", () => {
  const sweeps: Record<string, (i: number) => number> = {
    "[0, 2], evenly": (i) => (2 * (i + 1)) / COUNT,
    "around √2 − 1, where the branches meet": (i) => 0.41421356 + (i - COUNT / 2) * 2 ** -25,
    "all magnitudes up to 1e30": (i) => 2 ** ((226 * i) / COUNT - 126),
  };
  for (const [name, point] of Object.entries(sweeps)) {
    it(name, async () => {
      const x = Float32Array.from({ length: COUNT }, (_, i) => point(i));
      const y = await runF32(engine(), probe, { buffers: { x, y: new Float32Array(COUNT) }, params: { count: COUNT } });
      let worst = 0;
      for (let i = 0; i < COUNT; i++) worst = Math.max(worst, Math.abs(y[i]! / Math.log1p(x[i]!) - 1));
      // Stated: relative error at most 3.5u, by the rounding of 1 + x (2u of ln √2) and natural_log (1.5u).
      expect(worst / U).toBeLessThanOrEqual(3.5);
      expect(worst / U).toBeGreaterThan(0.1);
    });
  }

  it("0 at 0", async () => {
    const x = new Float32Array(4);
    expect([
      ...(await runF32(engine(), probe, { buffers: { x, y: new Float32Array(4) }, params: { count: 4 } })),
    ]).toEqual([0, 0, 0, 0]);
  });
});
