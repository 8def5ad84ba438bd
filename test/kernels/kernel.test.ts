/** Kernels as objects: parameters, bindings, the pipeline cache, grids. */
import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/device/engine.ts";
import { ceilDiv, foldGrid } from "../../src/kernels/grid.ts";
import { bindGroupEntries, buildKernel, packParams } from "../../src/kernels/kernel.ts";
import { elementwiseUnary, matmulRegister, reduceColumns, stepAdvance } from "../../src/kernels/library.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();
const rolling = useEngine({ unrollsLoops: false });

describe("packParams", () => {
  it("writes each field at its offset, in its type, padded to 16 bytes", () => {
    const bytes = packParams(reduceColumns, { scale: -0.5, batch: 1, columns: 0xffffffff, rows: 2 });
    expect(bytes.byteLength).toBe(16);
    const view = new DataView(bytes);
    expect([0, 4, 8].map((at) => view.getUint32(at, true))).toEqual([1, 2, 0xffffffff]);
    expect(view.getFloat32(12, true)).toBe(-0.5);
    expect(packParams(elementwiseUnary, { count: 1, alpha: 2, beta: 3 }).byteLength).toBe(16);
    expect(packParams(stepAdvance, {}).byteLength).toBe(0);
  });

  const good = { batch: 1, rows: 2, columns: 3, scale: 1 };
  const WRONG: Record<string, Record<string, number>> = {
    "Parameter column of": { ...good, column: 3 },
    "rows of kernel reduce/reduce_columns is -1": { ...good, rows: -1 },
    "rows of kernel reduce/reduce_columns is 1.5": { ...good, rows: 1.5 },
    "rows of kernel reduce/reduce_columns is 4294967296": { ...good, rows: 2 ** 32 },
    "scale of kernel reduce/reduce_columns is missing": { batch: 1, rows: 2, columns: 3 },
  };
  for (const [message, params] of Object.entries(WRONG)) {
    it(message, () => {
      expect(() => packParams(reduceColumns, params)).toThrow(message);
      expect(() => packParams(reduceColumns, params)).toThrow(expect.objectContaining({ code: "KERNEL-PARAMS" }));
    });
  }
});

describe("bindGroupEntries", () => {
  it("asks for every binding by name", async () => {
    const [buffer] = await engine().createBuffers([{ label: "x", sizeBytes: 1024, usage: GPUBufferUsage.STORAGE }]);
    try {
      const range = { buffer: buffer!, offsetBytes: 256, sizeBytes: 16 };
      const entries = bindGroupEntries(stepAdvance, { loss: range, state: { buffer: buffer! } }, undefined);
      expect(entries).toEqual([
        { binding: 0, resource: { buffer, offset: 256, size: 16 } },
        { binding: 1, resource: { buffer, offset: 0 } },
      ]);
      expect(() => bindGroupEntries(stepAdvance, { loss: range }, undefined)).toThrow(
        expect.objectContaining({
          code: "KERNEL-BINDING",
          message: expect.stringContaining("needs a buffer for state; given: loss"),
        }),
      );
    } finally {
      engine().destroyBuffers([buffer!]);
    }
  });
});

describe("buildKernel", () => {
  it("compiles equal code once, whatever knobs led to it", async () => {
    const [first, same, other] = await Promise.all([
      buildKernel(engine(), reduceColumns, {}),
      buildKernel(engine(), reduceColumns, { WG: 64, COLUMNS: 16 }),
      buildKernel(engine(), reduceColumns, { WG: 32 }),
    ]);
    expect(same).toBe(first);
    expect(other).not.toBe(first);
  });

  it("unrolls marked loops unless the engine was asked not to, or the call says otherwise", async () => {
    const builds = async (on: Engine) =>
      Promise.all([
        buildKernel(on, matmulRegister, {}),
        buildKernel(on, matmulRegister, {}, { unroll: true }),
        buildKernel(on, matmulRegister, {}, { unroll: false }),
      ]);
    const [usual, unrolled, rolled] = await builds(engine());
    expect(unrolled).not.toBe(rolled);
    expect(usual).toBe(unrolled);
    const [own, ownUnrolled, ownRolled] = await builds(rolling());
    expect(ownUnrolled).not.toBe(ownRolled);
    expect(own).toBe(ownRolled);
  });
});

describe("foldGrid", () => {
  const CASES: readonly (readonly [number, readonly number[]])[] = [
    [0, [1, 1, 1]],
    [1, [1, 1, 1]],
    [65_535, [65_535, 1, 1]],
    [65_536, [32_768, 2, 1]],
    [131_071, [43_691, 3, 1]],
    [65_535 ** 2, [65_535, 65_535, 1]],
  ];
  for (const [workgroups, grid] of CASES) {
    it(`${workgroups} → ${grid}: enough, within the limits`, () => {
      expect(foldGrid(workgroups)).toEqual(grid);
      expect(grid[0]! * grid[1]!).toBeGreaterThanOrEqual(workgroups);
    });
  }
  it("refuses what no dispatch holds", () => {
    expect(() => foldGrid(65_535 ** 2 + 1)).toThrow(expect.objectContaining({ code: "LIMIT-GRID" }));
  });
  it("ceilDiv", () => {
    expect([ceilDiv(0, 4), ceilDiv(1, 4), ceilDiv(4, 4), ceilDiv(5, 4)]).toEqual([0, 1, 1, 2]);
  });
});
