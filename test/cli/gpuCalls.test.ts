/** The counter on WebGPU's prototypes, against a second one that shadows the methods of one device. */
import { describe, expect, it } from "vitest";
import { countsBetween, countsPerRun, GpuCalls } from "../../src/cli/bench/gpuCalls.ts";
import { Engine } from "../../src/device/engine.ts";
import { multiplyAdd } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { DeviceWatch } from "../device/watchDevice.ts";
import { testGpu } from "../support/device.ts";

const run = {
  buffers: { y: new Float32Array(32) },
  params: { groups: 1, rounds: 1, factor: 0.5, shift: 1, start: 0 },
  knobs: { WG: 8, CHAINS: 1 },
  read: ["y"],
};

async function withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await Engine.request({ gpu: await testGpu() });
  try {
    return await work(engine);
  } finally {
    engine.destroy();
  }
}

describe("GpuCalls", () => {
  it("counts what a device is asked for, whoever asks", async () => {
    using calls = GpuCalls.install();
    await withEngine(async (engine) => {
      const watch = new DeviceWatch(engine.device);
      await runKernel(engine, multiplyAdd, run);
      watch.stop();
      const { counts } = calls;
      expect(counts).toMatchObject({
        dispatches: 1,
        passes: watch.count("pass"),
        submits: watch.submits,
        buffersCreated: watch.count("buffer"),
        bindGroupsCreated: watch.count("bindGroup"),
        objectsCreated: watch.objects,
        writeBuffers: watch.writes,
        bytesReadBack: 128,
      });
      expect(counts.objectsCreated).toBeGreaterThan(counts.buffersCreated + counts.bindGroupsCreated);
      expect(counts.jsMs).toBeGreaterThan(0);
    });
  });

  it("knows the bytes alive and the most there were; a buffer destroyed twice counts once", async () => {
    using calls = GpuCalls.install();
    await withEngine(async ({ device }) => {
      const make = (size: number) => device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
      const [first, second] = [make(64), make(256)];
      expect([calls.liveBytes, calls.peakBytes]).toEqual([320, 320]);
      second.destroy();
      second.destroy();
      expect([calls.liveBytes, calls.peakBytes]).toEqual([64, 320]);
      calls.resetPeak();
      expect(calls.peakBytes).toBe(64);
      first.destroy();
      expect([calls.liveBytes, calls.peakBytes]).toEqual([0, 64]);
    });
  });

  it("a map for writing, or of a range, counts what it reads", async () => {
    using calls = GpuCalls.install();
    await withEngine(async ({ device }) => {
      const read = device.createBuffer({ size: 64, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      const write = device.createBuffer({ size: 64, usage: GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC });
      await read.mapAsync(GPUMapMode.READ, 16);
      read.unmap();
      await read.mapAsync(GPUMapMode.READ, 0, 24);
      await write.mapAsync(GPUMapMode.WRITE);
      expect(calls.counts.bytesReadBack).toBe(48 + 24);
      read.destroy();
      write.destroy();
    });
  });

  it("gives the prototypes their methods back", async () => {
    const before = [GPUDevice.prototype.createBuffer, GPUQueue.prototype.submit, GPUBuffer.prototype.destroy];
    const calls = GpuCalls.install();
    expect(GPUDevice.prototype.createBuffer).not.toBe(before[0]);
    calls[Symbol.dispose]();
    expect([GPUDevice.prototype.createBuffer, GPUQueue.prototype.submit, GPUBuffer.prototype.destroy]).toEqual(before);
    await withEngine((engine) => runKernel(engine, multiplyAdd, run));
    expect(calls.counts.submits).toBe(0);
  });

  it("differences and shares", () => {
    const zero = GpuCalls.install();
    zero[Symbol.dispose]();
    const before = { ...zero.counts, submits: 3, dispatches: 10 };
    const after = { ...zero.counts, submits: 7, dispatches: 50 };
    const between = countsBetween(before, after);
    expect(between).toMatchObject({ submits: 4, dispatches: 40, writeBuffers: 0 });
    expect(countsPerRun(between, 4)).toMatchObject({ submits: 1, dispatches: 10, writeBuffers: 0 });
  });
});
