/** batch_contrast and batch_contrast_grad. */
import { describe, expect, it } from "vitest";
import { batchContrast, batchContrastGrad } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import * as oracle from "../oracle/sslKernels.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { unwritten } from "./runF32.ts";

const engine = useEngine();

async function forward(
  z: Float32Array,
  trials: number,
  count: number,
  inverseTemperature: number | undefined,
  lanes = 4,
) {
  const results = await runKernel(engine(), batchContrast, {
    buffers: { z, losses: unwritten(trials), slopes: unwritten(trials) },
    params: { trials, count, inverse_temperature: inverseTemperature ?? 1 },
    knobs: { WG: lanes, LANES: lanes, SIGMOID: inverseTemperature !== undefined },
    read: ["losses", "slopes"],
  });
  return results as { losses: Float32Array; slopes: Float32Array };
}

describe("batch_contrast", () => {
  const shapes = [
    [1, 1],
    [3, 5],
    [2, 64],
    [10, 1280],
  ] as const;
  for (const inverseTemperature of [undefined, 10, 0.5]) {
    it.each(shapes)(
      `${inverseTemperature ? `sigmoid, 1/τ = ${inverseTemperature}` : "difference"}: %d trials of %d numbers`,
      async (trials, count) => {
        const z = new TestRandom(trials + count).normals(3 * trials * count, 0.4);
        for (const lanes of [1, 4, 64]) {
          const reference = oracle.batchContrast(z, trials, count, inverseTemperature);
          const found = await forward(z, trials, count, inverseTemperature, lanes);
          // s: header. Of the sigmoid, |dσ/ds| ≤ 1/(4τ), |d slope/ds| ≤ 0.1/τ², and 8 roundings of exponential and quotients.
          const k = gamma(Math.ceil(count / lanes) + Math.log2(lanes) + 4);
          const rate = inverseTemperature ?? 1;
          const scale = reference.distances.map(
            (distance) => k * distance * (inverseTemperature ? rate / 4 : 1) + gamma(8),
          );
          expect(found.losses).toMatchOracle(reference.losses, { factor: 1, scale });
          const slopeScale = reference.distances.map((distance) => k * distance * 0.1 * rate * rate + gamma(8) * rate);
          if (inverseTemperature)
            expect(found.slopes).toMatchOracle(reference.slopes, { factor: 1, scale: slopeScale });
          else expect([...found.slopes]).toEqual(new Array(trials).fill(1));
        }
      },
    );
  }

  it("does not overflow where the distances differ by many temperatures", async () => {
    const near = Float32Array.of(0, 0, 100);
    const far = Float32Array.of(0, 100, 0);
    expect((await forward(near, 1, 1, 10)).losses[0]).toBeCloseTo(-1, 6);
    const bad = await forward(far, 1, 1, 10);
    expect(bad.losses[0]).toBeCloseTo(0, 6);
    expect(Number.isFinite(bad.slopes[0])).toBe(true);
  });

  it("trials do not touch one another", async () => {
    const random = new TestRandom(4);
    const z = random.normals(3 * 3 * 20);
    const together = await forward(z, 3, 20, 10);
    for (let trial = 0; trial < 3; trial++) {
      const own = Float32Array.from(
        [0, 1, 2].flatMap((view) => [...z.subarray((view * 3 + trial) * 20).subarray(0, 20)]),
      );
      expect((await forward(own, 1, 20, 10)).losses[0]).toBe(together.losses[trial]);
    }
  });
});

describe("batch_contrast_grad", () => {
  it.each([
    [1, 1],
    [3, 7],
    [2, 130],
  ])("%d trials of %d numbers", async (trials, count) => {
    const random = new TestRandom(5);
    const z = random.normals(3 * trials * count);
    const [slopes, dLosses] = [random.normals(trials), random.normals(trials)];
    const results = await runKernel(engine(), batchContrastGrad, {
      buffers: { z, slopes, d_losses: dLosses, d_z: unwritten(z.length) },
      params: { trials, count },
      knobs: { WG: 16 },
      read: ["d_z"],
    });
    const reference = oracle.batchContrastGrad(z, slopes, dLosses, trials, count);
    const largest = Math.max(...z.map(Math.abs));
    const scale = reference.map((_, at) => {
      const trial = Math.floor(at / count) % trials;
      return (Math.abs(2 * slopes[trial]! * dLosses[trial]!) / count) * 2 * largest;
    });
    expect(results.d_z as Float32Array).toMatchOracle(reference, { factor: gamma(6), scale });
  });
});
