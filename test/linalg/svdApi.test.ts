/** Singular values by plan and on arrays, and the spectrum of embeddings. */
import { describe, expect, it, onTestFinished } from "vitest";
import { isEngineError, planSvd, spectrum, svd, svdRequirements } from "../../src/linalg/index.ts";
import * as oracle from "../oracle/svd.ts";
import { useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine();
const U = 2 ** -24;

const codeOf = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work();
  } catch (error) {
    if (isEngineError(error)) return error.code;
    throw error;
  }
  return "nothing was thrown";
};

describe("planSvd", () => {
  it("encodes into the caller's pass, on buffers with offsets, and gives what svd gives, to the bit", async () => {
    const [rows, columns] = [40, 12];
    const z = new TestRandom(2).normals(rows * columns);
    const shape = { rows, columns, left: true, right: true };
    const { values, left, right, status } = await svd(engine(), z, shape);
    expect(status).toEqual(["ok"]);

    const solver = await planSvd(engine(), shape);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const sizes = { z: z.byteLength, values: 4 * columns, right: 4 * columns * columns, left: 4 * rows * columns };
    expect(solver.requirements).toMatchObject({
      inputBytes: { z: sizes.z },
      outputBytes: { values: sizes.values, right: sizes.right, left: sizes.left },
    });
    const [input, output] = await engine().createBuffers([
      { label: "z", sizeBytes: 256 + sizes.z, usage },
      { label: "all outputs", sizeBytes: 8192, usage },
    ]);
    onTestFinished(() => {
      solver.destroy();
      engine().destroyBuffers([input!, output!]);
    });
    engine().write(input!, 256, z);
    const buffers = {
      z: { buffer: input!, offsetBytes: 256 },
      values: { buffer: output!, offsetBytes: 256 },
      right: { buffer: output!, offsetBytes: 1024 },
      left: { buffer: output!, offsetBytes: 4096 },
    };
    const { submits } = engine().calls;
    const encoder = engine().device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    solver.encode(pass, buffers);
    const created = engine().objectsCreated;
    solver.encode(pass, buffers);
    expect([engine().objectsCreated, engine().calls.submits]).toEqual([created, submits]);
    pass.end();
    engine().submit(encoder.finish());
    expect((await solver.readStatus())[0]).toMatchObject({ status: "ok" });
    const read = async (offset: number, bytes: number) => [
      ...new Float32Array(await engine().readBuffer(output!, offset, bytes)),
    ];
    expect(await read(256, sizes.values)).toEqual([...values]);
    expect(await read(1024, sizes.right)).toEqual([...right]);
    expect(await read(4096, sizes.left)).toEqual([...left]);
  });

  it("takes a shape with more columns than rows, and no vectors unless asked", async () => {
    const { outputBytes } = svdRequirements({ rows: 3, columns: 10, batch: 2, right: true });
    expect(outputBytes).toEqual({ values: 24, right: 240 });
    const z = new TestRandom(5).normals(30);
    const { values, left, right } = await svd(engine(), z, { rows: 3, columns: 10 });
    expect([values.length, left.length, right.length]).toEqual([3, 0, 0]);
  });
});

describe("spectrum", () => {
  const [rows, columns] = [64, 8];
  /** Embeddings with standard deviations 1 … 10⁻⁶ and means that are far from zero. */
  const embeddings = (mean: number): Float32Array => {
    const random = new TestRandom(7);
    return Float32Array.from({ length: rows * columns }, (_, at) => {
      const column = at % columns;
      return mean + random.normal() * 10 ** ((-6 * column) / (columns - 1));
    });
  };

  it("is σ²/N, with eigenvalues far below what a covariance in f32 could hold", async () => {
    const z = embeddings(0);
    const found = await spectrum(engine(), z, { rows, columns });
    const exact = Float64Array.from(oracle.svd(z, rows, columns).values, (value) => value ** 2 / rows);
    expect(found).toBeInstanceOf(Float64Array);
    expect(exact.at(-1)! / exact[0]!).toBeLessThan(1e-11);
    // Scaled columns: each σ within 1e-5 relative (the promise of docs/numerics.md), each λ within twice that.
    found.forEach((value, j) => {
      expect(Math.abs(value / exact[j]! - 1)).toBeLessThan(2e-5);
    });
  });

  it("centres in float64 when asked", async () => {
    const z = embeddings(3);
    const means = Float64Array.from({ length: columns }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += z[i * columns + j]!;
      return sum / rows;
    });
    const centered = Float64Array.from(z, (value, at) => value - means[at % columns]!);
    const exact = Array.from(oracle.svd(centered, rows, columns).values, (value) => value ** 2 / rows);
    const found = await spectrum(engine(), z, { rows, columns, center: true });
    // Rounding the centred entries to f32 moves σ by at most u·‖Z‖_F; the solver by about as much.
    const bound = 8 * Math.sqrt(columns) * U * Math.sqrt(exact[0]!);
    found.forEach((value, j) => {
      expect(Math.abs(Math.sqrt(value) - Math.sqrt(exact[j]!))).toBeLessThan(bound);
    });
    const uncentered = await spectrum(engine(), z, { rows, columns });
    expect(uncentered[0]!).toBeGreaterThan(10 * found[0]!);
  });

  it("has as many eigenvalues as columns, zeros where rows are too few", async () => {
    const found = await spectrum(engine(), new TestRandom(1).normals(3 * 5), { rows: 3, columns: 5 });
    expect([...found].map((value) => value > 0)).toEqual([true, true, true, false, false]);
  });

  it("says what is wrong with the embeddings", async () => {
    const z = new Float32Array(12).fill(1);
    expect(await codeOf(() => spectrum(engine(), z, { rows: 4, columns: 4 }))).toBe("LINALG-SHAPE");
    z[5] = Number.NaN;
    expect(await codeOf(() => spectrum(engine(), z, { rows: 4, columns: 3 }))).toBe("LINALG-NONFINITE");
    expect(await codeOf(() => spectrum(engine(), z, { rows: 4, columns: 3, center: true }))).toBe("LINALG-NONFINITE");
  });
});
