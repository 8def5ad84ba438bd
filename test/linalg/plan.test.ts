/** The embeddable solver: on borrowed devices, encoders, passes and buffers, and everything it refuses. */
import { readFile } from "node:fs/promises";
import { afterEach, describe, expect, it } from "vitest";
import {
  type EighBuffers,
  Engine,
  eigh,
  isEngineError,
  plan,
  requirements,
  svdRequirements,
} from "../../src/linalg/index.ts";
import { eigh as reference } from "../oracle/eigh.ts";
import { testGpu, useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";
import { isThorough } from "../support/thorough.ts";
import { runApplication } from "./thirdParty/application.ts";
import { expectUntouched } from "./thirdParty/expectations.ts";

const engine = useEngine();
const U = 2 ** -24;
/** GPUBufferUsage exists in Node once Dawn is loaded. */
const storage = (): number => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

const made: GPUBuffer[] = [];
afterEach(() => {
  engine().destroyBuffers(made.splice(0));
});

async function buffer(sizeBytes: number, usage = storage()): Promise<GPUBuffer> {
  const created = await engine().createBuffer({ label: "caller's", sizeBytes, usage });
  made.push(created);
  return created;
}

function symmetric(n: number, batch: number, seed: number): Float32Array<ArrayBuffer> {
  const a = new TestRandom(seed).normals(batch * n * n);
  for (let g = 0; g < batch; g++)
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a[(g * n + j) * n + i] = a[(g * n + i) * n + j]!;
  return a;
}

const failure = async (work: () => unknown): Promise<{ code: string; message: string; fix: string }> => {
  try {
    await work();
  } catch (error) {
    if (isEngineError(error)) return { code: error.code, message: error.message, fix: error.fix };
    throw error;
  }
  throw new Error("nothing was thrown");
};

describe("a plan", () => {
  it("solves in the caller's pass and encoder, on buffers with offsets, without a submit of its own", async () => {
    const [n, batch] = [13, 5];
    const a = symmetric(n, batch, 1);
    const solver = await plan(engine(), { n, batch, vectors: true });
    const [input, values, vectors] = [
      await buffer(256 + a.byteLength),
      await buffer(512 + 4 * batch * n),
      await buffer(a.byteLength),
    ];
    engine().write(input, 256, a);
    const buffers = {
      a: { buffer: input, offsetBytes: 256 },
      values: { buffer: values, offsetBytes: 512 },
      vectors,
    };
    const before = engine().calls.submits;
    const encoder = engine().device.createCommandEncoder();
    solver.encode(encoder, buffers);
    const pass = encoder.beginComputePass();
    solver.encode(pass, buffers);
    pass.end();
    expect(engine().calls.submits).toBe(before);
    engine().submit(encoder.finish());
    const status = await solver.readStatus();
    const found = new Float32Array(await engine().readBuffer(values, 512, 4 * batch * n));
    const basis = new Float32Array(await engine().readBuffer(vectors, 0, a.byteLength));
    for (let g = 0; g < batch; g++) {
      const matrix = a.subarray(g * n * n, (g + 1) * n * n);
      const exact = reference(matrix, n).values;
      const largest = Math.max(...exact.map(Math.abs));
      // 4·√n·u·|λ|_max: docs/numerics.md.
      exact.forEach((value, j) => {
        expect(Math.abs(found[g * n + j]! - value)).toBeLessThan(4 * Math.sqrt(n) * U * largest);
      });
      expect(status[g]).toMatchObject({ status: "ok", flags: 0 });
      expect(status[g]!.sweeps).toBeGreaterThan(1);
      let trace = 0;
      for (let i = 0; i < n * n; i++) trace += basis[g * n * n + i]! ** 2;
      expect(trace).toBeCloseTo(n, 4);
    }
    solver.destroy();
  });

  it("gives what eigh gives on arrays, to the bit", async () => {
    const [n, batch] = [8, 2];
    const a = symmetric(n, batch, 3);
    const { values } = await eigh(engine(), a, { n, batch });
    const solver = await plan(engine(), { n, batch });
    const [input, output] = [await buffer(a.byteLength), await buffer(4 * batch * n)];
    engine().write(input, 0, a);
    const encoder = engine().device.createCommandEncoder();
    solver.encode(encoder, { a: input, values: output });
    engine().submit(encoder.finish());
    expect([...new Float32Array(await engine().readBuffer(output, 0, 4 * batch * n))]).toEqual([...values]);
    solver.destroy();
  });

  it("creates bind groups for new buffers once, and nothing for buffers it knows", async () => {
    const solver = await plan(engine(), { n: 4 });
    const sets = await Promise.all(
      [0, 1, 2].map(async () => ({ a: await buffer(64), values: await buffer(512 + 16) })),
    );
    const encode = (buffers: EighBuffers): number => {
      const before = engine().objectsCreated;
      solver.encode(engine().device.createCommandEncoder(), buffers);
      return engine().objectsCreated - before;
    };
    const created = sets.map(encode);
    expect(Math.min(...created)).toBeGreaterThan(0);
    for (let round = 0; round < 3; round++) expect(sets.map(encode)).toEqual([0, 0, 0]);
    expect(encode({ a: sets[0]!.a, values: { buffer: sets[0]!.values, offsetBytes: 256 } })).toBeGreaterThan(0);
    solver.destroy();
  });

  it("flags what it cannot solve, and leaves the other matrices of the batch alone", async () => {
    const n = 3;
    const a = symmetric(n, 3, 5);
    a[9 + 4] = Number.NaN;
    const { status, values } = await eigh(engine(), a, { n, batch: 3 });
    expect(status).toEqual(["ok", "nonfinite", "ok"]);
    expect([...values.subarray(3, 6)]).toEqual([0, 0, 0]);
    const alone = await eigh(engine(), a.slice(0, 9), { n });
    expect([...values.subarray(0, 3)]).toEqual([...alone.values]);
  });

  it("frees what it made, and nothing else; a destroyed plan says so", async () => {
    const before = engine().memory.buffers;
    const solver = await plan(engine(), { n: 6 });
    const [a, values] = [await buffer(144), await buffer(24)];
    expect(engine().memory.buffers).toBeGreaterThan(before + 2);
    solver.destroy();
    solver.destroy();
    expect(engine().memory.buffers).toBe(before + 2);
    const encoder = engine().device.createCommandEncoder();
    expect((await failure(() => solver.encode(encoder, { a, values }))).code).toBe("LINALG-DESTROYED");
    expect((await failure(() => solver.readStatus())).code).toBe("LINALG-DESTROYED");
  });
});

describe("buffers that do not fit", () => {
  const refusals: [string, () => Promise<Partial<Record<keyof EighBuffers, unknown>>>, string, RegExp][] = [
    ["too small", async () => ({ a: await buffer(96) }), "LINALG-BUFFER-SIZE", /needs 100 bytes for a.* has 96 bytes/],
    [
      "too small from their offset on",
      async () => ({ a: { buffer: await buffer(320), offsetBytes: 256 } }),
      "LINALG-BUFFER-SIZE",
      /needs 100 bytes for a.* has 320 bytes, of which 64 from offset 256/,
    ],
    [
      "at a crooked offset",
      async () => ({ values: { buffer: await buffer(400), offsetBytes: 128 } }),
      "LINALG-OFFSET",
      /offset 128.* multiple of 256/,
    ],
    [
      "without STORAGE",
      async () => ({ values: await buffer(64, GPUBufferUsage.COPY_DST) }),
      "LINALG-USAGE",
      /values as storage; the buffer has usage 8/,
    ],
    ["missing", async () => ({ values: undefined }), "LINALG-BUFFER", /needs a buffer for values, 20 bytes/],
    [
      "not asked for",
      async () => ({ vectors: await buffer(100) }),
      "LINALG-BUFFER",
      /no place for vectors; it has a, values/,
    ],
  ];
  it.each(refusals)("%s", async (_what, change, code, message) => {
    const solver = await plan(engine(), { n: 5 });
    const buffers = { a: await buffer(100), values: await buffer(20), ...(await change()) } as EighBuffers;
    const encoder = engine().device.createCommandEncoder();
    expect(await failure(() => solver.encode(encoder, buffers))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    // Nothing was recorded and no pass was left open.
    engine().submit(encoder.finish());
    solver.destroy();
  });

  it("outputs that overlap, and an input that is an output, even in another range of its buffer", async () => {
    const solver = await plan(engine(), { n: 5, vectors: true });
    const [a, one] = [await buffer(100), await buffer(1024)];
    const encoder = engine().device.createCommandEncoder();
    const at = (offsetBytes: number) => ({ buffer: one, offsetBytes });
    expect(await failure(() => solver.encode(encoder, { a, values: one, vectors: one }))).toMatchObject({
      code: "LINALG-ALIAS",
      message: expect.stringMatching(/values at bytes \[0, 20\) and vectors at \[0, 100\).*overlap/),
    });
    const elsewhere = { a: at(0), values: at(256), vectors: await buffer(100) };
    expect((await failure(() => solver.encode(encoder, elsewhere))).message).toMatch(/both read and write/);
    solver.encode(encoder, { a, values: at(256), vectors: at(512) });
    engine().submit(encoder.finish());
    await solver.readStatus();
    solver.destroy();
  });
});

describe("requirements", () => {
  it("are known without a device, and are what a plan takes", async () => {
    for (const shape of [{ n: 1 }, { n: 17, batch: 3 }, { n: 64, batch: 2, vectors: true }]) {
      const { isSoftware } = engine().adapter;
      const needed = requirements(shape, { isSoftware });
      const { n, batch = 1 } = shape;
      expect(needed.inputBytes).toEqual({ a: 4 * batch * n * n });
      expect(needed.outputBytes).toEqual({
        values: 4 * batch * n,
        ...("vectors" in shape ? { vectors: 4 * batch * n * n } : {}),
      });
      const before = engine().memory.bytes;
      const solver = await plan(engine(), shape);
      expect(solver.requirements).toEqual(needed);
      expect(solver.dispatches).toBe(needed.dispatches);
      // Each buffer is rounded up to 16 bytes; `unused` bindings share 256.
      expect(engine().memory.bytes - before).toBeLessThanOrEqual(needed.scratchBytes + 256 + 16 * 8);
      expect(engine().memory.bytes - before).toBeGreaterThanOrEqual(needed.scratchBytes);
      solver.destroy();
    }
  });

  it("state at most 3 n² floats of scratch a matrix, with vectors, beside status and parameters", () => {
    for (let n = 6; n <= 2048; n += n < 300 ? (isThorough ? 1 : 23) : 61) {
      for (const batch of [1, 3]) {
        const { scratchBytes, dispatches } = requirements({ n, batch, vectors: true });
        // The parameters of each kind of dispatch take a range of 256 bytes; those of a round are the same in every sweep.
        expect([n, scratchBytes <= 4 * 3 * n ** 2 * batch + 16 * batch + 256 * (8 + dispatches / 20)]).toEqual([
          n,
          true,
        ]);
      }
    }
  });

  it("of large matrices are many short dispatches, and a plan of them is encoded without a new object, too", async () => {
    const n = 170;
    const solver = await plan(engine(), { n });
    const a = symmetric(n, 1, 9);
    const [input, values] = [await buffer(a.byteLength), await buffer(4 * n)];
    engine().write(input, 0, a);
    const encode = (): void => {
      const encoder = engine().device.createCommandEncoder();
      solver.encode(encoder, { a: input, values });
      engine().submit(encoder.finish());
    };
    encode();
    const before = engine().objectsCreated;
    encode();
    expect(engine().objectsCreated).toBe(before);
    expect(solver.dispatches).toBeGreaterThan(100);
    expect((await solver.readStatus())[0]).toMatchObject({ status: "ok" });
    const found = new Float32Array(await engine().readBuffer(values, 0, 4 * n));
    const { values: onArrays } = await eigh(engine(), a, { n });
    expect([...found]).toEqual([...onArrays]);
    const ascending = await eigh(engine(), a, { n, order: "ascending" });
    expect([...ascending.values].reverse()).toEqual([...onArrays]);
    solver.destroy();
  });

  it("count workgroup memory and invocations as the device does", async () => {
    const { limits } = requirements({ n: 64, vectors: true });
    expect(limits.maxComputeWorkgroupStorageSize).toBeGreaterThan(0);
    expect(limits.maxComputeWorkgroupStorageSize).toBeLessThanOrEqual(16_384);
    expect(limits.maxComputeInvocationsPerWorkgroup).toBe(limits.maxComputeWorkgroupSizeX);
    expect(limits.maxStorageBuffersPerShaderStage).toBeLessThanOrEqual(8);
  });

  it.each([
    [{ n: 0 }, "LINALG-ORDER", /order 0/],
    [{ n: 2.5 }, "LINALG-ORDER", /order 2\.5/],
    [{ n: 1e6 }, "LINALG-ORDER", /order 1000000/],
    [{ n: 4, batch: 0 }, "LINALG-SHAPE", /batch is 0/],
  ])("refuse %o", async (shape, code, message) => {
    expect(await failure(() => requirements(shape))).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each([
    [{ rows: 3, columns: 0 }, "LINALG-SHAPE", /columns is 0/],
    [{ rows: 65_537, columns: 2 }, "LINALG-SHAPE", /65537 × 2/],
    [{ rows: 1025, columns: 1025 }, "LINALG-SHAPE", /1025 × 1025/],
  ])("refuse %o", async (shape, code, message) => {
    expect(await failure(() => svdRequirements(shape))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it("that a device cannot meet are an error before anything is made, with what would fit", async () => {
    const small = await Engine.request({ gpu: await testGpu(), defaultLimits: true });
    try {
      // 128 MiB a binding: 8192 matrices of order 64 fill it, 40,000 do not.
      const batch = 40_000;
      const error = await failure(() => plan(small, { n: 64, batch }));
      expect(error).toMatchObject({
        code: "LIMIT-DEVICE",
        message: expect.stringContaining(`maxStorageBufferBindingSize ${4 * 64 * 64 * batch} (it has 134217728)`),
      });
      // ⌊√(2²⁷/(4·40,000))⌋ = 28; in batches, 2²⁷/2¹⁴ = 8192.
      expect(error.fix).toMatch(/n up to 28, or batch up to 8192/);
      expect(small.memory.buffers).toBe(0);
    } finally {
      small.destroy();
    }
  });
});

describe("a third party's application", () => {
  it("runs a plan between its own dispatches in its own pass, on a device that stays its own", async () => {
    const adapter = await (await testGpu()).requestAdapter();
    const device = await adapter!.requestDevice();
    const code = await readFile(new URL("./thirdParty/matrices.wgsl", import.meta.url), "utf8");
    expectUntouched(await runApplication(device, code, { Engine, plan }));
    device.destroy();
  });
});
