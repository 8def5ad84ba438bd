import { afterEach, describe, expect, it } from "vitest";
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import { affine, sumOverRows } from "../../src/autodiff/functions.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { adapterLine, describeDevice, type LimitName } from "../../src/device/adapter.ts";
import { Engine, OBJECT_KINDS } from "../../src/device/engine.ts";
import { withErrorScopes } from "../../src/device/errorScopes.ts";
import { elementwiseUnary } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { testGpu } from "../support/device.ts";
import { REGISTER_TARGET } from "../support/graphs.ts";
import { DeviceWatch, disguise, losable } from "./watchDevice.ts";

const STORAGE = 0x80 | 0x4 | 0x8; // STORAGE | COPY_SRC | COPY_DST, before Dawn's globals are loaded
const buffer = (label: string, sizeBytes = 64) => ({ label, sizeBytes, usage: STORAGE });

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const undo of cleanUp.splice(0)) undo();
});

async function anEngine(options: Parameters<typeof Engine.request>[0] = {}): Promise<Engine> {
  const engine = await Engine.request({ gpu: await testGpu(), ...options });
  cleanUp.push(() => engine.destroy());
  return engine;
}

async function aDevice(): Promise<GPUDevice> {
  const adapter = await (await testGpu()).requestAdapter();
  const device = await adapter?.requestDevice();
  if (!device) throw new Error("no device");
  cleanUp.push(() => device.destroy());
  return device;
}

/** The code of the error that a promise rejects with. */
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "resolved",
    (error: { readonly code?: string }) => error.code ?? error,
  );

/** WebGPU's default limits: what every device has (W3C WebGPU, §3.6.2). */
const DEFAULTS: Readonly<Record<LimitName, number>> = {
  maxBufferSize: 268_435_456,
  maxStorageBufferBindingSize: 134_217_728,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
};

/** An entry point of WebGPU with one made-up adapter, which notes what a device is asked for. */
function fakeGpu(limits: Partial<Record<LimitName, number>>, features: readonly string[] = []) {
  const asked: GPUDeviceDescriptor[] = [];
  const requests: (GPURequestAdapterOptions | undefined)[] = [];
  const adapter = {
    limits: { ...DEFAULTS, ...limits },
    features: new Set(features),
    requestDevice: (descriptor: GPUDeviceDescriptor) => {
      asked.push(descriptor);
      return Promise.reject(new Error("driver says no"));
    },
  };
  const gpu = {
    requestAdapter: (options?: GPURequestAdapterOptions) => {
      requests.push(options);
      return Promise.resolve(adapter);
    },
  } as unknown as GPU;
  return { gpu, asked, requests };
}

describe("a device of our own", () => {
  it("has the adapter's largest buffers and the default limits elsewhere", async () => {
    const gpu = await testGpu();
    const largest = (await gpu.requestAdapter())?.limits;
    const { adapter, isBorrowed } = await anEngine();
    expect(isBorrowed).toBe(false);
    expect(adapter.limits).toEqual({
      ...DEFAULTS,
      maxBufferSize: largest?.maxBufferSize,
      maxStorageBufferBindingSize: largest?.maxStorageBufferBindingSize,
    });
  });

  it("has default limits and no features with `defaultLimits`", async () => {
    const { adapter, device } = await anEngine({ defaultLimits: true });
    expect(adapter.limits).toEqual(DEFAULTS);
    expect(device.limits.maxStorageBuffersPerShaderStage).toBe(8);
    // `core-features-and-limits` says that the device is no compatibility-mode device; it cannot be left out.
    expect(adapter.features.filter((feature) => feature !== "core-features-and-limits")).toEqual([]);
  });

  it("has the needed limits, also with `defaultLimits`", async () => {
    for (const defaultLimits of [false, true]) {
      const { gpu, asked } = fakeGpu({ maxStorageBuffersPerShaderStage: 10 });
      await codeOf(Engine.request({ gpu, defaultLimits, needs: { maxStorageBuffersPerShaderStage: 10 } }));
      expect(asked[0]?.requiredLimits).toMatchObject({ maxStorageBuffersPerShaderStage: 10 });
    }
  });

  it("asks for hardware first, with timestamps where the adapter has them, under a label", async () => {
    const { gpu, asked, requests } = fakeGpu({}, ["timestamp-query", "shader-f16"]);
    await codeOf(Engine.request({ gpu }));
    expect(requests).toEqual([{ powerPreference: "high-performance" }]);
    expect(asked[0]).toMatchObject({ label: "eigenstep", requiredFeatures: ["timestamp-query"] });
  });

  it("is refused by LIMIT-ADAPTER naming every missing limit with both numbers", async () => {
    const { gpu, asked } = fakeGpu({});
    const needs = {
      maxBufferSize: 2 ** 40,
      maxComputeWorkgroupStorageSize: 32_768,
      maxStorageBuffersPerShaderStage: 8,
    };
    const error = await Engine.request({ gpu, needs }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({
      code: "LIMIT-ADAPTER",
      detail: {
        maxBufferSize: { needed: 2 ** 40, available: 268_435_456 },
        maxComputeWorkgroupStorageSize: { needed: 32_768, available: 16_384 },
      },
    });
    const { message } = error as Error;
    expect(message).toContain("maxBufferSize 1099511627776 (adapter has 268435456)");
    expect(message).toContain("maxComputeWorkgroupStorageSize 32768 (adapter has 16384)");
    expect(message).not.toContain("maxStorageBuffersPerShaderStage");
    expect(asked).toEqual([]);
  });

  it("is refused by DEVICE-UNSUPPORTED without WebGPU, DEVICE-NO-ADAPTER without adapter, DEVICE-REQUEST by the driver", async () => {
    // Node 20 has no navigator.gpu.
    expect(await codeOf(Engine.request())).toBe("DEVICE-UNSUPPORTED");
    const asked: unknown[] = [];
    const noAdapter = {
      requestAdapter: (options: unknown) => {
        asked.push(options);
        return Promise.resolve(null);
      },
    } as unknown as GPU;
    expect(await codeOf(Engine.request({ gpu: noAdapter }))).toBe("DEVICE-NO-ADAPTER");
    // A software adapter may appear only when no preference is given.
    expect(asked).toEqual([{ powerPreference: "high-performance" }, undefined]);
    const error = await Engine.request({ gpu: fakeGpu({}).gpu }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "DEVICE-REQUEST", message: "The adapter refused a device: driver says no" });
  });
});

describe("the description of an adapter", () => {
  const described = (info: Partial<GPUAdapterInfo>) =>
    describeDevice({
      adapterInfo: { vendor: "", architecture: "", device: "", description: "", ...info },
      limits: DEFAULTS,
      features: new Set(["b", "a"]),
    } as unknown as GPUDevice);

  it.each([
    { vendor: "google", architecture: "swiftshader", description: "SwiftShader driver 5.0.0" },
    { vendor: "mesa", description: "llvmpipe (LLVM 19.1.7, 256 bits)" },
    { vendor: "mesa", device: "lavapipe" },
    { vendor: "microsoft", description: "Microsoft Basic Render Driver" },
    { vendor: "microsoft", architecture: "warp" },
    { vendor: "unknown", isFallbackAdapter: true },
  ])("says software: $vendor $architecture $device $description", (info) => {
    expect(described(info).isSoftware).toBe(true);
  });

  it.each([
    { vendor: "nvidia", architecture: "ampere", description: "NVIDIA GeForce RTX 3060" },
    { vendor: "amd", architecture: "rdna-3", description: "AMD Radeon RX 7800 XT (RADV NAVI32)" },
    { vendor: "intel", architecture: "gen-12lp", description: "Intel(R) Iris(R) Xe Graphics" },
    { vendor: "apple", architecture: "metal-3" },
    { vendor: "qualcomm", description: "Adreno 740, warped drive" },
  ])("says hardware: $vendor $architecture $description", (info) => {
    expect(described(info).isSoftware).toBe(false);
  });

  it("is one line for people, with a warning word for software", () => {
    expect(adapterLine(described({ vendor: "amd", architecture: "rdna-3", description: "RX" }))).toBe(
      "amd rdna-3 (RX)",
    );
    expect(adapterLine(described({ vendor: "google", architecture: "swiftshader" }))).toBe(
      "google swiftshader, software",
    );
    expect(adapterLine(described({}))).toBe("unnamed adapter");
    expect(described({}).features).toEqual(["a", "b"]);
  });
});

describe("buffers", () => {
  it("are created all or none: one that is too large stops the others before anything is created", async () => {
    const engine = await anEngine({ defaultLimits: true });
    const watch = new DeviceWatch(engine.device);
    const requests = [buffer("small"), buffer("huge", DEFAULTS.maxBufferSize + 1), buffer("small too")];
    const error = await engine.createBuffers(requests).catch((cause: unknown) => cause);
    expect(error).toMatchObject({
      code: "LIMIT-BUFFER",
      where: "huge",
      detail: { sizeBytes: 268_435_457, maxBufferSize: 268_435_456 },
    });
    expect(watch.count("buffer")).toBe(0);
    expect(engine.memory).toEqual({ buffers: 0, bytes: 0, peakBytes: 0 });
  });

  it("are all destroyed again when one of them is invalid: DEVICE-VALIDATION", async () => {
    const engine = await anEngine();
    const watch = new DeviceWatch(engine.device);
    // MAP_READ with STORAGE is not allowed.
    const error = await engine
      .createBuffers([buffer("good"), { label: "bad", sizeBytes: 16, usage: GPUBufferUsage.MAP_READ | STORAGE }])
      .catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "DEVICE-VALIDATION", where: expect.stringContaining("2 buffers") });
    expect((error as Error).message).toContain("bad");
    expect(watch.count("buffer")).toBe(2);
    expect(watch.live.size).toBe(0);
    expect(engine.memory.buffers).toBe(0);
  });

  it("are all destroyed again when memory runs out: LIMIT-MEMORY", async () => {
    const real = await aDevice();
    // Some drivers promise any amount of memory, so the error is put in: the second scope from outside is the one for memory.
    const scopes: string[] = [];
    const engine = Engine.from(
      disguise(real, {
        pushErrorScope: (filter: GPUErrorFilter) => scopes.push(filter),
        popErrorScope: () =>
          Promise.resolve(scopes.pop() === "out-of-memory" ? { message: "VK_ERROR_OUT_OF_DEVICE_MEMORY" } : null),
      }),
    );
    const watch = new DeviceWatch(real);
    const error = await engine.createBuffers([buffer("a", 1000), buffer("b", 2000)]).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "LIMIT-MEMORY", where: "2 buffers, 3000 bytes" });
    expect((error as Error).message).toContain("VK_ERROR_OUT_OF_DEVICE_MEMORY");
    expect(scopes).toEqual([]);
    expect(watch.count("buffer")).toBe(2);
    expect(watch.live.size).toBe(0);
    expect(engine.memory.buffers).toBe(0);
  });

  it("are whole numbers of vec4, counted while alive and at their peak", async () => {
    const engine = await anEngine();
    const [a, b] = await engine.createBuffers([buffer("a", 1), buffer("b", 100)]);
    expect([a?.size, b?.size]).toEqual([16, 112]);
    expect(engine.memory).toEqual({ buffers: 2, bytes: 128, peakBytes: 128 });
    engine.destroyBuffers(a ? [a, a] : []);
    engine.destroyBuffers(a ? [a] : []);
    expect(engine.memory).toEqual({ buffers: 1, bytes: 112, peakBytes: 128 });
    await engine.createBuffer(buffer("c", 0));
    expect(engine.memory).toEqual({ buffers: 2, bytes: 128, peakBytes: 128 });
  });

  it("of others are left alone by destroyBuffers", async () => {
    const engine = await anEngine();
    const foreign = engine.device.createBuffer({ size: 16, usage: STORAGE });
    engine.destroyBuffers([foreign]);
    expect(await codeOf(engine.readBuffer(foreign))).toBe("resolved");
    foreign.destroy();
  });

  it("come back as they were written, whole or in part", async () => {
    const engine = await anEngine();
    const target = await engine.createBuffer(buffer("target", 32));
    engine.write(target, 8, Uint32Array.of(1, 2, 3, 4, 5, 6));
    expect([...new Uint32Array(await engine.readBuffer(target))]).toEqual([0, 0, 1, 2, 3, 4, 5, 6]);
    expect([...new Uint32Array(await engine.readBuffer(target, 12, 8))]).toEqual([2, 3]);
    // Sizes that no copy allows are padded on the way and cut at the end.
    expect([...new Uint8Array(await engine.readBuffer(target, 12, 5))]).toEqual([2, 0, 0, 0, 3]);
    expect(engine.memory.buffers).toBe(1);
  });
});

describe("error scopes", () => {
  it("turn a validation error into DEVICE-VALIDATION naming the object", async () => {
    const { device } = await anEngine();
    const uncaptured: string[] = [];
    device.onuncapturederror = (event) => uncaptured.push(event.error.message);
    const error = await withErrorScopes(device, "the group of heads", () =>
      device.createBindGroupLayout({
        label: "heads",
        entries: [0, 0].map((binding) => ({ binding, visibility: 4, buffer: {} })),
      }),
    ).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "DEVICE-VALIDATION", where: "the group of heads" });
    expect((error as Error).message).toContain("the group of heads");
    expect(uncaptured).toEqual([]);
  });

  it("are all closed when the work throws, and when two run at once each gets its own error", async () => {
    const { device } = await anEngine();
    await expect(
      withErrorScopes(device, "work", () => {
        throw new RangeError("of the work itself");
      }),
    ).rejects.toThrow("of the work itself");
    const bad = withErrorScopes(device, "bad", () => device.createBuffer({ size: 16, usage: 0 }));
    const good = withErrorScopes(device, "good", () => 42);
    expect(await codeOf(bad)).toBe("DEVICE-VALIDATION");
    expect(await good).toBe(42);
    // Nothing is left open: an error now has nobody to catch it.
    const uncaptured = new Promise<string>((resolve) => {
      device.onuncapturederror = (event) => resolve(event.error.message);
    });
    device.createBuffer({ label: "stray", size: 16, usage: 0 });
    expect(await uncaptured).toContain("stray");
  });
});

describe("a lost device", () => {
  it("rejects everything pending with DEVICE-LOST, and every later call", async () => {
    const { device, lose } = losable(await aDevice());
    const engine = Engine.from(device);
    const target = await engine.createBuffer(buffer("target"));
    const never = engine.guard(new Promise<never>(() => {}));
    // `guard` is what every wait goes through: a map that a crashed driver never answers.
    const reading = engine.readBuffer(target);
    lose("driver crashed");
    expect(await Promise.all([codeOf(never), codeOf(reading)])).toEqual(["DEVICE-LOST", "DEVICE-LOST"]);
    const loss = await engine.lost;
    expect(loss.message).toBe("The GPU device was lost: driver crashed");
    expect(await codeOf(engine.guard(Promise.resolve(1)))).toBe("DEVICE-LOST");
    expect(await codeOf(engine.createBuffer(buffer("late")))).toBe("DEVICE-LOST");
    expect(await codeOf(engine.readBuffer(target))).toBe("DEVICE-LOST");
    expect(() => engine.assertUsable()).toThrow(loss);
    expect(() => engine.write(target, 0, new Uint32Array(1))).toThrow(loss);
    expect(() => engine.submit({} as GPUCommandBuffer)).toThrow(loss);
    engine.destroy();
    expect((await engine.lost).code).toBe("DEVICE-LOST");
  });

  it("destroyed by its owner is DEVICE-DESTROYED", async () => {
    const device = await aDevice();
    const engine = Engine.from(device);
    const never = engine.guard(new Promise<never>(() => {}));
    device.destroy();
    expect(await codeOf(never)).toBe("DEVICE-DESTROYED");
    expect((await engine.lost).code).toBe("DEVICE-DESTROYED");
  });

  it("turns the failure of a call that it interrupted into the loss", async () => {
    const { device, lose } = losable(await aDevice());
    const engine = Engine.from(device);
    let fail: (cause: Error) => void = () => {};
    const guarded = engine.guard(
      new Promise((_, reject) => {
        fail = reject;
      }),
    );
    lose("gone");
    await engine.lost;
    fail(new Error("AbortError"));
    expect(await codeOf(guarded)).toBe("DEVICE-LOST");
  });

  it("before it is lost, guard passes values and failures on", async () => {
    const engine = await anEngine();
    expect(await engine.guard(Promise.resolve(7))).toBe(7);
    await expect(engine.guard(Promise.reject(new Error("mine")))).rejects.toThrow("mine");
  });

  it("destroys the buffers whose creation it interrupts", async () => {
    const real = await aDevice();
    const { device, lose } = losable(disguise(real, { popErrorScope: () => new Promise(() => {}) }));
    const engine = Engine.from(device);
    const watch = new DeviceWatch(real);
    const creating = engine.createBuffers([buffer("a"), buffer("b")]);
    lose("in the middle");
    expect(await codeOf(creating)).toBe("DEVICE-LOST");
    expect(watch.count("buffer")).toBe(2);
    expect(watch.live.size).toBe(0);
  });
});

describe("destroy", () => {
  it("leaves no live buffer, rejects what is pending, and may be repeated", async () => {
    const engine = await anEngine();
    const watch = new DeviceWatch(engine.device);
    let destroyed = 0;
    const destroy = engine.device.destroy.bind(engine.device);
    engine.device.destroy = () => {
      destroyed += 1;
      return destroy();
    };
    await engine.createBuffers([buffer("a"), buffer("b")]);
    const reading = engine.readBuffer(await engine.createBuffer(buffer("c")));
    const never = engine.guard(new Promise<never>(() => {}));
    engine.destroy();
    expect(watch.live.size).toBe(0);
    expect(engine.memory).toMatchObject({ buffers: 0, bytes: 0 });
    expect(await Promise.all([codeOf(never), codeOf(reading)])).toEqual(["DEVICE-DESTROYED", "DEVICE-DESTROYED"]);
    engine.destroy();
    engine[Symbol.dispose]();
    expect(watch.live.size).toBe(0);
    expect(destroyed).toBeGreaterThan(0);
    expect((await engine.lost).code).toBe("DEVICE-DESTROYED");
  });
});

describe("a borrowed device", () => {
  it("is left as it was found: only our buffers go, and it still works", async () => {
    const device = await aDevice();
    const theirs = device.createBuffer({ label: "theirs", size: 16, usage: STORAGE });
    const handler = () => {};
    device.onuncapturederror = handler;
    const facts = () => ({
      names: [...Object.getOwnPropertyNames(device), ...Object.getOwnPropertySymbols(device)],
      queueNames: Object.getOwnPropertyNames(device.queue),
      label: device.label,
      queueLabel: device.queue.label,
    });
    const before = facts();

    const engine = Engine.from(device);
    expect(engine.isBorrowed).toBe(true);
    const ours = await engine.createBuffer(buffer("ours", 16));
    const { y } = await runKernel(engine, elementwiseUnary, {
      buffers: { x: Float32Array.of(1, 2, 3, 4), y: new Float32Array(4) },
      params: { count: 4, alpha: 2, beta: 1 },
      read: ["y"],
    });
    expect([...(y ?? [])]).toEqual([3, 5, 7, 9]);
    engine.destroy();

    expect(facts()).toEqual(before);
    expect(device.onuncapturederror).toBe(handler);
    // The device computes on: their buffer takes a copy and gives it back; ours is gone.
    device.pushErrorScope("validation");
    const source = device.createBuffer({ size: 16, usage: STORAGE, mappedAtCreation: true });
    new Uint32Array(source.getMappedRange()).set([1, 2, 3, 4]);
    source.unmap();
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, theirs, 0, 16);
    device.queue.submit([encoder.finish()]);
    expect(await device.popErrorScope()).toBeNull();
    const second = Engine.from(device);
    expect([...new Uint32Array(await second.readBuffer(theirs))]).toEqual([1, 2, 3, 4]);
    device.pushErrorScope("validation");
    const late = device.createCommandEncoder();
    late.copyBufferToBuffer(ours, 0, theirs, 0, 16);
    device.queue.submit([late.finish()]);
    expect((await device.popErrorScope())?.message).toContain("ours");
  });
});

describe("what is made through an engine", () => {
  const compileAndRun = async (engine: Engine) => {
    const graph = new Graph();
    const x = graph.input("x", [4, 4]);
    const y = graph.scope("model", () => sumOverRows(affine(x, 2, 1)));
    const plan = planGraph({ graph, programs: { main: [y] }, outputs: { y }, target: REGISTER_TARGET });
    const compiled = await CompiledPlan.compile(engine, plan);
    compiled.write("x", new Float32Array(16).fill(1));
    compiled.run("main");
    const result = new Float32Array(await engine.readBuffer(compiled.buffer("y"), 0, 16));
    compiled.destroy();
    return [...result];
  };

  it("carries a label, and `calls` agrees with what the device saw", async () => {
    const engine = await anEngine();
    const watch = new DeviceWatch(engine.device);
    expect(await compileAndRun(engine)).toEqual([12, 12, 12, 12]);
    expect(watch.made.filter(({ label }) => label === "")).toEqual([]);
    const labels = watch.made.map(({ kind, label }) => `${kind} ${label}`);
    for (const expected of ["buffer slot:0", "buffer x", "bindGroup model/sumOverRows", "pass main", "encoder main"]) {
      expect(labels).toContain(expected);
    }
    expect(engine.calls).toEqual({
      buffers: watch.count("buffer"),
      bindGroups: watch.count("bindGroup"),
      layouts: watch.count("bindGroupLayout", "pipelineLayout"),
      shaderModules: watch.count("shaderModule"),
      pipelines: watch.count("pipeline"),
      submits: watch.submits,
      writeBuffers: watch.writes,
    });
    expect(engine.objectsCreated).toBe(watch.objects);
    expect(OBJECT_KINDS.reduce((total, kind) => total + engine.calls[kind], 0)).toBe(watch.objects);
    // Two kernels; a run reads back once.
    expect(watch.count("pipeline")).toBe(2);
    expect(watch.submits).toBe(2);
    expect(watch.live.size).toBe(0);
    expect(engine.memory.buffers).toBe(0);
  });

  it("is cached by content: the same plan again compiles nothing", async () => {
    const engine = await anEngine();
    await compileAndRun(engine);
    const watch = new DeviceWatch(engine.device);
    await compileAndRun(engine);
    expect(watch.count("pipeline", "shaderModule", "bindGroupLayout", "pipelineLayout")).toBe(0);
  });

  it("is memoised per engine and key, on first use", async () => {
    const [one, two] = [await anEngine(), await anEngine()];
    let made = 0;
    const make = () => {
      made += 1;
      return undefined;
    };
    for (const engine of [one, one, two]) engine.memo("key", make);
    expect(made).toBe(2);
  });
});
