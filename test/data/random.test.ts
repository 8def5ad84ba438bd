// Threefry's known answers, the stream class against an independent implementation, moments of the distributions.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CounterRandom, MAX_SEED, RandomStream, threefry2x32, uniform01 } from "../../src/data/random.ts";
import { expectCode } from "./support.ts";

describe("threefry2x32", () => {
  // Random123, tests/kat_vectors, lines "threefry2x32 20 counter key result".
  it.each([
    [0, 0, 0, 0, 0x6b200159, 0x99ba4efe],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xc4923a9c, 0x483df7a0],
  ])("known answer: counter %i %i, key %i %i", (counter0, counter1, key0, key1, x0, x1) => {
    expect(threefry2x32(key0, key1, counter0, counter1)).toEqual([x0, x1]);
  });

  it("takes words modulo 2^32 and gives u32", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: MAX_SEED }), { minLength: 4, maxLength: 4 }), (words) => {
        const [a, b, c, d] = words as [number, number, number, number];
        const pair = threefry2x32(a, b, c, d);
        expect(threefry2x32(a | 0, b | 0, c | 0, d | 0)).toEqual(pair);
        for (const word of pair) expect(word === word >>> 0).toBe(true);
      }),
    );
  });
});

describe("uniform01", () => {
  it("stays inside (0, 1), symmetric about one half", () => {
    expect(uniform01(0)).toBeGreaterThan(0);
    expect(uniform01(0xffffffff)).toBeLessThan(1);
    expect(uniform01(0) + uniform01(0xffffffff)).toBe(1);
    expect(uniform01(0x7fffffff)).toBeLessThan(0.5);
    expect(uniform01(0x80000000)).toBeGreaterThan(0.5);
    expect(uniform01(0)).toBe(2 ** -24);
    expect(uniform01(0x1ff)).toBe(2 ** -24); // the low 9 bits do not count
    expect(uniform01(0x200)).toBe(1.5 * 2 ** -23);
  });

  it("f32 arithmetic gives the same bits; with one bit more it would not", () => {
    const inF32 = (integer: number, scale: number) => Math.fround(Math.fround(integer + 0.5) * scale);
    const words = [0, 1, 511, 512, 0x7fffffff, 0x80000000, 0x80000100, 0xfffffdff, 0xfffffeff, 0xffffffff];
    for (const word of words) expect(inF32(word >>> 9, 2 ** -23)).toBe(uniform01(word));
    // Why not 24 bits: the largest value would round to 1.
    expect(inF32(0xffffffff >>> 8, 2 ** -24)).toBe(1);
  });
});

describe("CounterRandom", () => {
  const random = new CounterRandom(7, RandomStream.data);

  it("agrees with an implementation in Python, to large indices", () => {
    const indices = [0, 1, 2, 3, 2 ** 33 + 1, 2 ** 53 - 1];
    const expected = [0xde419f54, 0xf3b93c98, 0xbb4092a7, 0xad1cfdae, 0x42ddfc34, 0x159862a3];
    expect(indices.map((i) => random.bits(i))).toEqual(expected);
    expect([0, 1, 2].map((i) => random.uniform(i))).toEqual([
      0.8681887984275818, 0.9520452618598938, 0.731454074382782,
    ]);
    const normals = [0.5077349384288836, -0.15778906434672418, -0.35360991727657604, -0.7073907781323766];
    // Correctly rounded except for sqrt(-2 ln u)·cos: three library calls of ≤ 1 ulp each, radius ≤ 6.
    normals.forEach((value, i) => {
      expect(Math.abs(random.normal(i) - value)).toBeLessThanOrEqual(6 * 4 * 2 ** -52);
    });
  });

  it("has no state: any order, any chunk", () => {
    const all = random.normals(100);
    expect(random.normals(40, 60)).toEqual(all.subarray(60));
    expect(random.normal(99)).toBe(all[99]);
    expect(new CounterRandom(7, RandomStream.data).normals(100)).toEqual(all);
  });

  it("differs between seeds and between streams", () => {
    const first = (seed: number, stream: number) => new CounterRandom(seed, stream).bits(0);
    const streams = Object.values(RandomStream);
    expect(new Set(streams).size).toBe(streams.length);
    const drawn = [0, 1, MAX_SEED].flatMap((seed) => streams.map((stream) => first(seed, stream)));
    expect(new Set(drawn).size).toBe(drawn.length);
  });

  it("keeps the meaning of the purposes", () => {
    // Published runs depend on these numbers: extend, never renumber.
    expect(RandomStream).toMatchObject({ weights: 1, crops: 2, data: 3, noise: 4, permutation: 5 });
  });

  it("uniform, normal and sign have the moments of their distributions", () => {
    // n = 2e5 draws with a fixed seed. Bounds are 5 standard errors: sd of a mean of x is sd(x)/√n.
    const n = 200_000;
    const five = 5 / Math.sqrt(n);
    const mean = (f: (i: number) => number) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += f(i);
      return sum / n;
    };
    expect(Math.abs(mean((i) => random.uniform(i)) - 1 / 2)).toBeLessThan(five * Math.sqrt(1 / 12));
    expect(Math.abs(mean((i) => random.uniform(i) ** 2) - 1 / 3)).toBeLessThan(five * Math.sqrt(4 / 45));
    expect(Math.abs(mean((i) => random.sign(i)))).toBeLessThan(five);
    const normals = random.normals(n);
    expect(Math.abs(mean((i) => normals[i]!))).toBeLessThan(five);
    expect(Math.abs(mean((i) => normals[i]! ** 2) - 1)).toBeLessThan(five * Math.sqrt(2));
    expect(Math.abs(mean((i) => normals[i]! ** 3))).toBeLessThan(five * Math.sqrt(15));
    expect(Math.abs(mean((i) => normals[i]! ** 4) - 3)).toBeLessThan(five * Math.sqrt(96));
    // The two of a pair are independent: E[xy] = 0, E[x²y²] = 1 with variance 9 − 1.
    const pair = (i: number) => normals[2 * (i >> 1)]! * normals[2 * (i >> 1) + 1]!;
    expect(Math.abs(mean(pair))).toBeLessThan(five * Math.SQRT2);
    expect(Math.abs(mean((i) => pair(i) ** 2) - 1)).toBeLessThan(five * Math.sqrt(2 * 8));
  });

  it.each([-1, 1.5, 2 ** 32, Number.NaN])("refuses seed %d", async (seed) => {
    await expectCode("DATA-OPTION", () => new CounterRandom(seed, RandomStream.data));
    await expectCode("DATA-OPTION", () => new CounterRandom(0, seed));
  });
});
