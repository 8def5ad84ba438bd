/** The bounds that lib/math.wgsl states, over dense sweeps. */
import { describe, expect, it } from "vitest";
import { ceilDiv, foldGrid } from "../../src/kernels/grid.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { testKernel } from "./testShader.ts";

const engine = useEngine();
const probe = testKernel("math_probe", ({ count = 0 }) => foldGrid(ceilDiv(count, 64)));

/** Columns natural_log, cos, sin, is_finite at each x. */
async function evaluate(x: Float32Array | Uint32Array): Promise<Float32Array> {
  const { y } = await runKernel(engine(), probe, {
    buffers: { x, y: new Float32Array(4 * x.length) },
    params: { count: x.length },
    read: ["y"],
  });
  return y as Float32Array;
}

/** Largest error of a column, and where. */
function worst(x: Float32Array, y: Float32Array, column: number, error: (x: number, y: number) => number) {
  let [largest, at] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    const e = error(x[i]!, y[4 * i + column]!);
    if (!(e <= largest)) [largest, at] = [e, x[i]!];
  }
  return { largest, at };
}

const COUNT = 2 ** 18;

describe("natural_log", () => {
  const relative = (x: number, y: number) =>
    x === 1 ? Math.abs(y) : Math.abs(y - Math.log(x)) / Math.abs(Math.log(x));
  const sweeps: Record<string, (i: number) => number> = {
    "every 32nd value of uniform01": (i) => (32 * i + 0.5) * 2 ** -23,
    "the 2¹⁸ floats around 1": (i) => (i < COUNT / 2 ? 1 - i * 2 ** -24 : 1 + (i - COUNT / 2) * 2 ** -23),
    "two octaves, densely": (i) => 0.5 * (1 + (3 * i) / COUNT),
    "all normal exponents": (i) => 2 ** ((252 * i) / COUNT - 126),
  };
  for (const [name, point] of Object.entries(sweeps)) {
    it(name, async () => {
      const x = Float32Array.from({ length: COUNT }, (_, i) => point(i));
      const { largest, at } = worst(x, await evaluate(x), 0, relative);
      // Stated: relative error at most 1.5u, also beside 1.
      expect(largest / U, `worst at ${at}`).toBeLessThanOrEqual(1.5);
    });
  }
});

describe("cos_sin_turns", () => {
  const sweeps: Record<string, (i: number) => number> = {
    "[0, 1], evenly": (i) => i / (COUNT - 1),
    "around the eighths of a turn": (i) =>
      Math.min(1, Math.max(0, Math.floor(i / 2 ** 14) / 16 + ((i % 2 ** 14) - 2 ** 13) * 2 ** -25)),
    tiny: (i) => 2 ** ((-100 * i) / COUNT),
  };
  for (const [name, point] of Object.entries(sweeps)) {
    it(name, async () => {
      const x = Float32Array.from({ length: COUNT }, (_, i) => point(i));
      const y = await evaluate(x);
      const cosine = worst(x, y, 1, (turn, value) => Math.abs(value - Math.cos(2 * Math.PI * turn)));
      const sine = worst(x, y, 2, (turn, value) => Math.abs(value - Math.sin(2 * Math.PI * turn)));
      // Stated: absolute error at most 2⁻²³ = 2u.
      expect(cosine.largest / U, `worst at ${cosine.at}`).toBeLessThanOrEqual(2);
      expect(sine.largest / U, `worst at ${sine.at}`).toBeLessThanOrEqual(2);
    });
  }

  it("exact at the quarters", async () => {
    const y = await evaluate(Float32Array.of(0, 0.25, 0.5, 0.75, 1));
    const pairs = [0, 1, 2, 3, 4].map((i) => [y[4 * i + 1]! + 0, y[4 * i + 2]! + 0]);
    expect(pairs).toEqual([
      [1, 0],
      [0, 1],
      [-1, 0],
      [0, -1],
      [1, 0],
    ]);
  });
});

describe("is_finite", () => {
  it("by bits: NaN and infinities are not, all else is", async () => {
    const bits = Uint32Array.of(
      0,
      0x80000000,
      1,
      0x007fffff,
      0x7f7fffff,
      0xff7fffff,
      0x7f800000,
      0xff800000,
      0x7f800001,
      0xffc00000,
    );
    const y = await evaluate(bits);
    expect([...bits].map((_, i) => y[4 * i + 3])).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
  });
});
