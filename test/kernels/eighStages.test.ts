/** What surrounds the rounds of block Jacobi: eigh_range, eigh_prepare, eigh_off_norm, eigh_order, eigh_vectors, eigh_residual(_end). */
import { describe, expect, it } from "vitest";
import {
  eighOffNorm,
  eighOrder,
  eighPrepare,
  eighRange,
  eighResidual,
  eighResidualEnd,
  eighVectors,
} from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { eigh, residualNorm } from "../oracle/eigh.ts";
import { descendingOrder, largestMagnitude, scaledAndPadded, squareSums } from "../oracle/eighStages.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { unwritten } from "./runF32.ts";

const engine = useEngine();

const floatsOf = (words: ArrayLike<number>) => new Float32Array(Uint32Array.from(words).buffer);
const wordOf = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0]!;

/** Numbers over many decades, the upper triangle filled with one that must not be read. */
function lower(n: number, seed: number, scale = 1): Float32Array {
  const source = new TestRandom(seed);
  return Float32Array.from({ length: n * n }, (_, at) =>
    Math.floor(at / n) >= at % n ? scale * source.normal() * 10 ** -Math.floor(6 * source.uniform()) : 1e38,
  );
}

describe("eigh_range", () => {
  for (const [n, parts] of [
    [1, 1],
    [7, 3],
    [130, 5],
  ] as const) {
    it(`largest magnitude in ${parts} parts, n = ${n}`, async () => {
      const matrices = [lower(n, 1), lower(n, 2, 1e30), lower(n, 3), lower(n, 4)];
      matrices[2]![n * n - 1] = Number.NaN;
      matrices[3]![(n - 1) * n] = Number.NEGATIVE_INFINITY;
      const { partial } = await runKernel(engine(), eighRange, {
        buffers: { a: Float32Array.from(matrices.flatMap((a) => [...a])), partial: new Uint32Array(4 * parts) },
        params: { batch: 4, n, parts },
        read: ["partial"],
      });
      matrices.forEach((a, g) => {
        const bits = Math.max(...partial!.slice(g * parts, (g + 1) * parts));
        const largest = largestMagnitude(a, n);
        if (Number.isNaN(largest)) expect(bits).toBeGreaterThan(wordOf(Infinity));
        else expect(floatsOf([bits])[0]).toBe(largest);
      });
    });
  }
});

describe("eigh_prepare", () => {
  for (const VECTORS of [true, false]) {
    it(`scales, symmetrises, pads${VECTORS ? ", sets the basis" : ""}`, async () => {
      const [n, padded, parts] = [37, 64, 2];
      const infinite = lower(n, 4);
      infinite[0] = Infinity;
      const matrices = [lower(n, 1), lower(n, 2, 2 ** 100), lower(n, 3, 2 ** -110), infinite, new Float32Array(n * n)];
      const batch = matrices.length;
      const maxima = matrices.map((a) => wordOf(largestMagnitude(a, n)));
      const result = await runKernel(engine(), eighPrepare, {
        buffers: {
          a: Float32Array.from(matrices.flatMap((a) => [...a])),
          partial: Uint32Array.from(maxima.flatMap((word) => [0, word])),
          work: unwritten(batch * padded * padded),
          basis: unwritten(batch * padded * padded),
          counters: new Uint32Array(batch * 4).fill(9),
          state: new Uint32Array(batch * 4).fill(9),
        },
        params: { batch, n, quads: padded / 4, parts, counter_words: 4 },
        knobs: { VECTORS },
        read: ["work", "basis", "counters", "state"],
      });
      matrices.forEach((a, g) => {
        const range = [g * padded * padded, (g + 1) * padded * padded] as const;
        // Denormals count as zero, whose sign does not matter.
        const normal = a.map((x) => (Math.abs(x) < 2 ** -126 ? 0 : x));
        const work = [...(result.work as Float32Array).slice(...range)];
        expect(work.map((x) => x + 0)).toEqual([...scaledAndPadded(normal, n, padded)].map((x) => x + 0));
        const basis = [...(result.basis as Float32Array).slice(...range)];
        if (VECTORS) expect(basis.every((x, at) => x === (at % (padded + 1) === 0 ? 1 : 0))).toBe(true);
        else expect(basis.every((x) => x === basis[0])).toBe(true);
        expect([...result.state!.slice(4 * g, 4 * g + 4)]).toEqual([0, g === 3 ? 1 : 0, g >= 3 ? 1 : 0, maxima[g]]);
      });
      expect(result.counters!.every((word) => word === 0)).toBe(true);
    });
  }
});

describe("eigh_off_norm and eigh_order", () => {
  for (const [n, stride, parts] of [
    [5, 32, 1],
    [130, 160, 4],
  ] as const) {
    it(`sorts, scales back and writes the status, n = ${n}`, async () => {
      const batch = 2;
      const source = new TestRandom(n);
      const work = new Float32Array(batch * stride * stride);
      for (let g = 0; g < batch; g++) {
        for (let i = 0; i < n; i++) {
          // Ties on the diagonal.
          for (let j = 0; j < n; j++) {
            work[(g * stride + i) * stride + j] =
              i === j ? Math.round(4 * source.normal()) / 4 : 1e-6 * source.normal();
          }
        }
      }
      const { partial } = await runKernel(engine(), eighOffNorm, {
        buffers: { work, partial: unwritten(batch * parts * 2) },
        params: { batch, n: stride, parts },
        read: ["partial"],
      });
      for (const ascending of [0, 1]) {
        const largest = [2 ** 20, 1.5 * 2 ** -30];
        const result = await runKernel(engine(), eighOrder, {
          buffers: {
            work,
            state: Uint32Array.from([7, 0, 1, wordOf(largest[0]!), 30, 2, 1, wordOf(largest[1]!)]),
            partial: partial!,
            values: unwritten(batch * n),
            source: new Uint32Array(batch * n),
            status: new Uint32Array(batch * 4).fill(9),
          },
          params: { batch, n, stride, parts, ascending },
          read: ["values", "source", "status"],
        });
        for (let g = 0; g < batch; g++) {
          const w = work.subarray(g * stride * stride, (g + 1) * stride * stride);
          const diagonal = Array.from({ length: n }, (_, i) => w[i * (stride + 1)]!);
          const order = descendingOrder(diagonal);
          if (ascending) order.reverse();
          const scale = 2 ** Math.floor(Math.log2(largest[g]!));
          expect([...result.source!.slice(g * n, (g + 1) * n)]).toEqual(order);
          expect([...result.values!.slice(g * n, (g + 1) * n)]).toEqual(order.map((i) => diagonal[i]! * scale));
          const [off, all] = squareSums(w, stride);
          const words = result.status!.slice(4 * g, 4 * g + 4);
          expect([words[0], words[1], words[3]]).toEqual(g === 0 ? [7, 0, 0] : [30, 2, 0]);
          // Sums of ⌈stride/parts⌉·⌈stride/WG⌉ + WG + parts terms, then two roots and a quotient.
          const k = Math.ceil(stride / parts) * Math.ceil(stride / 64) + 64 + parts + 6;
          const exact = Math.sqrt(off / all);
          expect(Math.abs(floatsOf([words[2]!])[0]! - exact)).toBeLessThanOrEqual(gamma(k) * exact);
        }
      }
    });
  }

  it("a zero matrix has off-norm 0", async () => {
    const { status } = await runKernel(engine(), eighOrder, {
      buffers: {
        work: new Float32Array(32 * 32),
        state: Uint32Array.of(0, 1, 1, 0x7f800000),
        partial: new Float32Array(2),
        values: unwritten(3),
        source: new Uint32Array(3),
        status: new Uint32Array(4).fill(9),
      },
      params: { batch: 1, n: 3, stride: 32, parts: 1, ascending: 0 },
      read: ["status"],
    });
    expect([...status!]).toEqual([0, 1, 0, 0]);
  });
});

describe("eigh_vectors", () => {
  it("columns in the order of the values", async () => {
    const [n, stride, batch] = [5, 32, 2];
    const basis = new TestRandom(1).normals(batch * stride * stride);
    const source = Uint32Array.of(3, 1, 4, 0, 2, 4, 3, 2, 1, 0);
    const { vectors } = await runKernel(engine(), eighVectors, {
      buffers: { basis, source, vectors: unwritten(batch * n * n) },
      params: { batch, n, stride },
      read: ["vectors"],
    });
    const expected = Array.from({ length: batch * n * n }, (_, at) => {
      const [g, k, j] = [Math.floor(at / (n * n)), Math.floor(at / n) % n, at % n];
      return basis[(g * stride + source[g * n + j]!) * stride + k]!;
    });
    expect([...vectors!]).toEqual(expected);
  });
});

describe("eigh_residual and eigh_residual_end", () => {
  async function residualOf(
    a: Float32Array,
    values: Float32Array,
    vectors: Float32Array,
    n: number,
    batch: number,
    step: number,
  ) {
    const across = Math.ceil(n / 32);
    const parts = across * Math.ceil(n / 64);
    let partial: Float32Array = unwritten(batch * parts);
    for (let start = 0; start < n; start += step) {
      const result = await runKernel(engine(), eighResidual, {
        buffers: { a, values, vectors, partial },
        params: {
          batch,
          n,
          rows: Math.min(step, n - start),
          row_start: start,
          part_start: (start / 64) * across,
          parts,
        },
        read: ["partial"],
      });
      partial = result.partial as Float32Array;
    }
    const { status } = await runKernel(engine(), eighResidualEnd, {
      buffers: { partial, values, status: new Uint32Array(4 * batch).fill(9) },
      params: { batch, n, parts },
      read: ["status"],
    });
    return Array.from({ length: batch }, (_, g) => {
      expect([...status!.slice(4 * g, 4 * g + 3)]).toEqual([9, 9, 9]);
      return floatsOf([status![4 * g + 3]!])[0]!;
    });
  }

  for (const n of [1, 5, 33, 100, 130]) {
    it(`‖AV − V·diag(λ)‖_F/‖A‖_F, n = ${n}, also near the ends of f32's range, in one dispatch or several`, async () => {
      const source = new TestRandom(n);
      // Eigenvectors off by 1e-3, so that rounding is a small part of the residual.
      const base = Float32Array.from({ length: n * n }, (_, at) =>
        Math.floor(at / n) >= at % n ? source.normal() : 9e37,
      );
      const { values, vectors } = eigh(base, n);
      const v = Float32Array.from(vectors, (x) => x + (1e-3 * source.normal()) / Math.sqrt(n));
      // Of n = 1 no eigenvector is off but by its length; the eigenvalue is.
      const lambda = Float32Array.from(values, (x, i) => x * (1 + (n === 1 ? 0.01 : 1e-5 * i)));
      const scales = [1, 2 ** 110, 2 ** -110];
      const exact = residualNorm(base, n, { values: lambda, vectors: v }) / Math.hypot(...lambda);
      const a = Float32Array.from(scales.flatMap((s) => [...base].map((x) => (x > 8e37 ? x : x * s))));
      const all = Float32Array.from(scales.flatMap((s) => [...lambda].map((x) => x * s)));
      const repeated = Float32Array.from(scales.flatMap(() => [...v]));
      for (const step of [64, 128]) {
        const residuals = await residualOf(a, all, repeated, n, 3, step);
        // Rounding adds at most γ_{n+2}·‖A‖‖V‖ in norm, here about √n·(n + 2)·u; sums of squares are off by γ of their length.
        for (const residual of residuals) {
          expect(Math.abs(residual - exact)).toBeLessThanOrEqual(
            gamma(n + 2) * Math.sqrt(n) * 1.1 + gamma(200) * exact,
          );
        }
      }
    });
  }

  it("is 0 for matrices whose values are 0: zero ones, and flagged ones with NaN", async () => {
    const n = 3;
    const a = new Float32Array(2 * n * n);
    a.fill(Number.NaN, n * n);
    const vectors = Float32Array.from({ length: 2 * n * n }, (_, at) => ((at % (n * n)) % (n + 1) === 0 ? 1 : 0));
    expect(await residualOf(a, new Float32Array(2 * n), vectors, n, 2, 64)).toEqual([0, 0]);
  });
});
