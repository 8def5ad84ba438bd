import { describe, expect, it } from "vitest";
import { ceilDiv } from "../../src/kernels/grid.ts";
import { randomFill } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { absolute } from "../oracle/elementwise.ts";
import * as oracle from "../oracle/random.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { bitsOf, runF32, unwritten } from "./runF32.ts";
import { testKernel } from "./testShader.ts";

const engine = useEngine();
const probe = testKernel("random_probe", ({ count = 0 }) => [ceilDiv(count, 64), 1, 1]);

/** threefry words, multiply_high and uniform01's bits for each (key 0, key 1, counter 0, counter 1). */
async function evaluate(words: readonly (readonly [number, number, number, number])[]): Promise<number[][]> {
  const { y } = await runKernel(engine(), probe, {
    buffers: { x: Uint32Array.from(words.flat()), y: new Uint32Array(4 * words.length) },
    params: { count: words.length },
    read: ["y"],
  });
  return words.map((_, i) => [...(y as Uint32Array).subarray(4 * i, 4 * i + 4)]);
}

describe("lib/random.wgsl", () => {
  // Random123 1.14, tests/kat_vectors, lines "threefry2x32 20": counter, key, result.
  const KNOWN = [
    { counter: [0, 0], key: [0, 0], result: [0x6b200159, 0x99ba4efe] },
    { counter: [0xffffffff, 0xffffffff], key: [0xffffffff, 0xffffffff], result: [0x1cb996fc, 0xbb002be7] },
    { counter: [0x243f6a88, 0x85a308d3], key: [0x13198a2e, 0x03707344], result: [0xc4923a9c, 0x483df7a0] },
  ] as const;

  it("threefry2x32: the authors' known answers, oracle and GPU", async () => {
    const words = await evaluate(KNOWN.map(({ key, counter }) => [...key, ...counter] as const));
    KNOWN.forEach(({ key, counter, result }, i) => {
      expect(oracle.threefry(key, counter)).toEqual([...result]);
      expect(words[i]!.slice(0, 2)).toEqual([...result]);
    });
  });

  it("threefry2x32, multiply_high and uniform01 on random and extreme words: the oracle's bits", async () => {
    const random = new TestRandom(1);
    const extreme = [0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];
    const word = () => (random.uniform() < 0.3 ? extreme[random.integer(extreme.length)]! : random.integer(2 ** 32));
    const inputs = Array.from({ length: 500 }, () => [word(), word(), word(), word()] as const);
    const outputs = await evaluate(inputs);
    inputs.forEach(([key0, key1, counter0, counter1], i) => {
      const uniform = new Uint32Array(Float32Array.of(oracle.uniform01(counter0)).buffer)[0]!;
      expect(outputs[i]).toEqual([
        ...oracle.threefry([key0, key1], [counter0, counter1]),
        oracle.multiplyHigh(key0, key1),
        uniform,
      ]);
    });
  });

  it("uniform01 is exact in f32 and inside (0, 1) at both ends", () => {
    for (const bits of [0, 0x1ff, 0x200, 0x7fffffff, 0x80000000, 0xfffffdff, 0xffffffff]) {
      const value = oracle.uniform01(bits);
      expect(Math.fround(value)).toBe(value);
      expect(value).toBeGreaterThan(0);
      expect(value).toBeLessThan(1);
    }
  });
});

describe("random_fill", () => {
  const base = { seed: 12345, stream: 6, scale: 1, offset: 0, y_offset: 0 };
  const fill = (count: number, normal: boolean, changes: Partial<typeof base> = {}, WG = 16) =>
    runF32(engine(), randomFill, {
      buffers: { y: unwritten(count + (changes.y_offset ?? 0)) },
      params: { ...base, ...changes, count },
      knobs: { WG, NORMAL: normal },
    });

  for (const count of [1, 2, 3, 31, 32, 33, 97]) {
    it(`uniform, ${count} elements: the oracle's bits`, async () => {
      const reference = oracle.randomFill(count, { ...base, normal: false });
      expect(bitsOf(await fill(count, false))).toEqual(bitsOf(Float32Array.from(reference)));
    });
    it(`normal, ${count} elements`, async () => {
      // r = √(−2 ln U): the logarithm within 1.5u, the product with −2 exact, the root 9u (WGSL: inverseSqrt 2 ulp, division 2.5 ulp),
      // so r within 0.75u + 9u, and the last product u: 10.75u·|Z|; cos and sin within 2⁻²³ absolute times r ≤ √(48 ln 2) < 5.77:
      // 11.6u. Both are below 2⁻²⁰ = 16u.
      const reference = oracle.randomFill(count, { ...base, normal: true });
      expect(await fill(count, true)).toMatchOracle(reference, {
        factor: 2 ** -20,
        scale: absolute(reference),
        absolute: 2 ** -20,
      });
    });
  }

  it("scale and offset", async () => {
    const [scale, offset] = [Math.fround(-0.3), Math.fround(2.5)];
    const unit = await fill(200, true);
    // Against the unit normals drawn by the GPU: a product and a sum.
    expect(await fill(200, true, { scale, offset })).toMatchOracle(
      Float64Array.from(unit, (z) => offset + scale * z),
      {
        factor: gamma(2),
        scale: Float64Array.from(unit, (z) => Math.abs(offset) + Math.abs(scale * z)),
      },
    );
  });

  it("element i depends on seed, stream and i alone, not on count, workgroup size or place", async () => {
    const reference = bitsOf(await fill(1000, true));
    for (const WG of [1, 16, 64]) {
      for (const count of [1, 63, 64, 65, 999]) {
        expect(bitsOf(await fill(count, true, {}, WG))).toEqual(reference.slice(0, count));
      }
    }
    const shifted = await fill(64, true, { y_offset: 7 });
    expect(bitsOf(shifted.subarray(7))).toEqual(reference.slice(0, 64));
    expect([...shifted.subarray(0, 7)]).toEqual([...unwritten(7)]);
  });

  it("seed and stream each change the numbers", async () => {
    const sets = [await fill(50, true), await fill(50, true, { seed: 12346 }), await fill(50, true, { stream: 7 })];
    expect(new Set(sets.flatMap((set) => [...set])).size).toBe(150);
  });

  it("more than 65,535 workgroups fold into y", async () => {
    const count = 2 * 65_537 + 1;
    const y = await fill(count, false, {}, 1);
    expect(bitsOf(y)).toEqual(bitsOf(await fill(count, false, {}, 64)));
    const last = oracle.threefry([base.seed, base.stream], [65_537, 0]);
    expect(y[count - 1]).toBe(oracle.uniform01(last[0]));
  });

  it("1e5 normals: moments and the Kolmogorov distance", async () => {
    const n = 100_000;
    const z = [...(await fill(n, true, {}, 64))];
    const moment = (k: number) => z.reduce((sum, value) => sum + value ** k, 0) / n;
    // Five standard errors of each sample moment: Var z^k = E z^{2k} − (E z^k)², E z^{2m} = (2m − 1)!!.
    for (const [k, mean, variance] of [
      [1, 0, 1],
      [2, 1, 2],
      [3, 0, 15],
      [4, 3, 96],
    ] as const) {
      expect(Math.abs(moment(k) - mean), `moment ${k}`).toBeLessThan(5 * Math.sqrt(variance / n));
    }
    // Neighbours (cosine and sine of one pair) and next neighbours are uncorrelated: standard error 1/√n.
    for (const lag of [1, 2]) {
      let sum = 0;
      for (let i = 0; i + lag < n; i++) sum += z[i]! * z[i + lag]!;
      expect(Math.abs(sum / n), `lag ${lag}`).toBeLessThan(5 / Math.sqrt(n));
    }
    // √n·D < 1.95 holds with probability 0.999 (Kolmogorov's law); seed fixed.
    const sorted = z.sort((a, b) => a - b);
    let distance = 0;
    sorted.forEach((value, i) => {
      const p = normalDistribution(value);
      distance = Math.max(distance, p - i / n, (i + 1) / n - p);
    });
    expect(Math.sqrt(n) * distance).toBeLessThan(1.95);
  });

  it("1e5 uniforms: the Kolmogorov distance, and inside (0, 1)", async () => {
    const n = 100_000;
    const sorted = [...(await fill(n, false, {}, 64))].sort((a, b) => a - b);
    const distance = Math.max(...sorted.map((value, i) => Math.max(value - i / n, (i + 1) / n - value)));
    expect(Math.sqrt(n) * distance).toBeLessThan(1.95);
    expect(sorted[0]).toBeGreaterThan(0);
    expect(sorted[n - 1]).toBeLessThan(1);
  });
});

/** Φ by its power series (|x| < 6: absolute error far below 1e-6, the distance's resolution is 1e-5). */
function normalDistribution(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 1; k < 120; k++) {
    term *= (x * x) / (2 * k + 1);
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}
