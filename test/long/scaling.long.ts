/** A·2^k for every k = −60 … 60 at orders that several workgroups share. */
import { describe, expect, it } from "vitest";
import { eigh } from "../../src/linalg/eigh.ts";
import { symmetricFamily } from "../oracle/symmetricFamilies.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();

describe("eigh of A·2^k", () => {
  for (const n of [129, 256]) {
    it(`n = ${n}: the same bits after unscaling, k = −60 … 60`, async () => {
      const a = symmetricFamily("random", n, 7);
      const bits = (x: Float32Array) => new Uint32Array(x.buffer, x.byteOffset, x.length);
      const reference = await eigh(engine(), a, { n, batch: 1, vectors: true });
      for (let k = -60; k <= 60; k++) {
        const result = await eigh(
          engine(),
          a.map((x) => x * 2 ** k),
          { n, batch: 1, vectors: true },
        );
        expect(bits(result.values.map((x) => x * 2 ** -k))).toEqual(bits(reference.values));
        expect(bits(result.vectors)).toEqual(bits(reference.vectors));
        expect([...result.sweeps, ...result.status]).toEqual([...reference.sweeps, "ok"]);
      }
    });
  }
});
