/** Must show: A·2^k gives the bits of A but for the exponent, k = −60 … 60; at orders of one and of several workgroups. */
import { describe, expect, it } from "vitest";
import { eigh } from "../../src/linalg/eigh.ts";
import { symmetricFamily } from "../oracle/symmetricFamilies.ts";
import { useEngine } from "../support/device.ts";
import { isThorough } from "../support/thorough.ts";

const engine = useEngine();

const ALL = Array.from({ length: 121 }, (_, i) => i - 60);
/** Odd exponents, both ends, and steps across which a square root's parity changes. */
const SOME = [-60, -59, -17, -1, 0, 1, 2, 31, 59, 60];

describe("eigh of A·2^k", () => {
  const cases: readonly (readonly [n: number, exponents: readonly number[]])[] = [
    [5, ALL],
    [33, ALL],
    [64, SOME],
    [129, isThorough ? SOME : [0, 1, 31, 60]],
    ...(isThorough ? ([[165, SOME]] as const) : []),
  ];
  for (const [n, exponents] of cases) {
    it(`n = ${n}: the same bits after unscaling, for ${exponents.length} of k = −60 … 60`, async () => {
      const a = symmetricFamily("random", n, 7);
      const batch = exponents.length;
      const scaled = new Float32Array(batch * n * n);
      for (const [g, k] of exponents.entries())
        scaled.set(
          a.map((x) => x * 2 ** k),
          g * n * n,
        );
      const result = await eigh(engine(), scaled, { n, batch, vectors: true });
      const at = exponents.indexOf(0);
      const valuesOf = (g: number) => result.values.slice(g * n, (g + 1) * n).map((x) => x * 2 ** -exponents[g]!);
      const vectorsOf = (g: number) => result.vectors.slice(g * n * n, (g + 1) * n * n);
      const bits = (x: Float32Array) => new Uint32Array(x.buffer);
      const [values, vectors] = [bits(valuesOf(at)), bits(vectorsOf(at))];
      for (const [g] of exponents.entries()) {
        expect(bits(valuesOf(g))).toEqual(values);
        expect(bits(vectorsOf(g))).toEqual(vectors);
        expect([result.sweeps[g], result.status[g]]).toEqual([result.sweeps[at], "ok"]);
      }
    });
  }
});
