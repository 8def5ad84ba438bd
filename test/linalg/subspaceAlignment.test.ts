import { describe, expect, it } from "vitest";
import { subspaceAlignment } from "../../src/linalg/subspaceAlignment.ts";
import { useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine();

/** a·b of [rows, inner] and [inner, columns]. */
function product(a: Float32Array, b: Float32Array, rows: number, inner: number, columns: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a[Math.floor(at / columns) * inner + k]! * b[k * columns + (at % columns)]!;
    return sum;
  });
}

describe("subspaceAlignment", () => {
  const rows = 60;
  const random = new TestRandom(1);
  const a = random.normals(rows * 4);

  it("does not depend on the basis: A and A·M align fully, whatever their scales", async () => {
    const mixed = product(a, random.normals(16), rows, 4, 4).map((x) => 1e-6 * x);
    const result = await subspaceAlignment(engine(), a, mixed, { rows, columns: [4, 4] });
    expect(result.alignment).toBeCloseTo(1, 5);
    expect(result.ranks).toEqual([4, 4]);
  });

  it("is the mean squared cosine of the principal angles", async () => {
    // Planes in R^4 that share one axis and are at 60° in the other.
    const plane = (cosine: number, sine: number) => Float32Array.of(1, 0, 0, cosine, 0, sine, 0, 0);
    const { alignment, chance } = await subspaceAlignment(engine(), plane(1, 0), plane(0.5, Math.sqrt(0.75)), {
      rows: 4,
      columns: [2, 2],
    });
    expect(alignment).toBeCloseTo((1 + 0.25) / 2, 6);
    expect(chance).toBe(0.5);
  });

  it("counts ranks, not columns: a subspace of the other aligns fully", async () => {
    const wide = product(a, random.normals(4 * 7), rows, 4, 7);
    const narrow = product(a, random.normals(4 * 2), rows, 4, 2);
    const result = await subspaceAlignment(engine(), wide, narrow, { rows, columns: [7, 2], cutoff: 1e-5 });
    expect(result.ranks).toEqual([4, 2]);
    expect(result.alignment).toBeCloseTo(1, 5);
  });

  it("random subspaces are near the chance level", async () => {
    const { alignment, chance } = await subspaceAlignment(
      engine(),
      random.normals(rows * 6),
      random.normals(rows * 6),
      {
        rows,
        columns: [6, 6],
      },
    );
    // ‖QᵀQ'‖² is a sum of 36 squares of mean 1/60: standard deviation of the mean √(2/36)/60 ≈ 0.004 for each of 6.
    expect(Math.abs(alignment - chance)).toBeLessThan((5 * Math.sqrt(2 * 36)) / 60 / 6);
  });

  it("refuses embeddings without any direction, and those that are not finite", async () => {
    const zero = new Float32Array(rows * 4);
    await expect(subspaceAlignment(engine(), a, zero, { rows, columns: [4, 4] })).rejects.toThrow(
      /60 × 4 matrix b spans no direction/,
    );
    const spoilt = a.slice();
    spoilt[7] = Number.NaN;
    await expect(subspaceAlignment(engine(), spoilt, a, { rows, columns: [4, 4] })).rejects.toThrow(
      /matrix a holds NaN or infinity/,
    );
  });
});
