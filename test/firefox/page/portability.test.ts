/**
 * What Firefox (wgpu, naga) does otherwise than Chrome (Dawn, Tint), as far as this engine meets it or guards against it. Each fact stands
 * in docs/portability.md; a test that fails here says that the document, and perhaps a workaround, is out of date.
 */
import { describe, expect, it } from "vitest";
import { Engine } from "../../../src/device/engine.ts";
import { useEngine } from "../../support/device.ts";

const engine = useEngine();

/** Messages of the compiler's errors; none when it accepts the code. */
async function compile(code: string): Promise<readonly string[]> {
  const { device } = engine();
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const info = await module.getCompilationInfo();
  await device.popErrorScope();
  return info.messages.filter(({ type }) => type === "error").map(({ message }) => message);
}

describe("the compiler", () => {
  const main = (body: string, before = "") => `
    @group(0) @binding(0) var<storage, read_write> y: array<f32>;
    var<workgroup> tile: array<f32, 4>;
    ${before}
    @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) lane: u32) { ${body} }`;

  it("accepts the control", async () => {
    expect(await compile(main("tile[lane] = 1.0; workgroupBarrier(); y[lane] = tile[3u - lane];"))).toEqual([]);
  });

  it("refuses a pointer to workgroup memory as a parameter: includes use module-scope variables", async () => {
    const errors = await compile(main("put(&tile);", "fn put(t: ptr<workgroup, array<f32, 4>>) { (*t)[0] = 1.0; }"));
    expect(errors).not.toEqual([]);
  });

  it("refuses a pointer to storage as a parameter", async () => {
    const errors = await compile(
      main("put(&y);", "fn put(t: ptr<storage, array<f32>, read_write>) { (*t)[0] = 1.0; }"),
    );
    expect(errors).not.toEqual([]);
  });

  it("accepts a barrier in control flow that is not uniform, which Tint refuses: passing here proves no uniformity", async () => {
    expect(await compile(main("if (lane < 2u) { workgroupBarrier(); } y[lane] = 1.0;"))).toEqual([]);
  });

  it("refuses an array sized by an override in a function, as Tint does: specialize() writes constants", async () => {
    const errors = await compile(main("var r: array<f32, N>; y[lane] = r[0];", "override N: u32 = 4u;"));
    expect(errors).not.toEqual([]);
  });
});

describe("aliasing in one dispatch", () => {
  /** The validation error of a dispatch with two bindings of one buffer, or undefined. */
  async function dispatch(
    types: readonly [GPUBufferBindingType, GPUBufferBindingType],
    offsets: readonly [number, number],
  ): Promise<string | undefined> {
    const { device } = engine();
    const buffer = device.createBuffer({ size: 1024, usage: GPUBufferUsage.STORAGE });
    const access = (type: GPUBufferBindingType) => (type === "storage" ? "read_write" : "read");
    const module = device.createShaderModule({
      code: `
        @group(0) @binding(0) var<storage, ${access(types[0])}> a: array<f32>;
        @group(0) @binding(1) var<storage, ${access(types[1])}> b: array<f32>;
        @compute @workgroup_size(1) fn main() { b[0] = a[0]; }`,
    });
    const layout = device.createBindGroupLayout({
      entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    });
    const pipeline = device.createComputePipeline({
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    });
    device.pushErrorScope("validation");
    const group = device.createBindGroup({
      layout,
      entries: offsets.map((offset, binding) => ({ binding, resource: { buffer, offset, size: 512 } })),
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(1);
    pass.end();
    device.queue.submit([encoder.finish()]);
    const error = await device.popErrorScope();
    buffer.destroy();
    return error?.message;
  }

  it("read and read_write of one buffer is an error, even of disjoint ranges: the planner gives slots of their own", async () => {
    expect(await dispatch(["read-only-storage", "storage"], [0, 512])).toBeTypeOf("string");
  });

  it("two read_write bindings of disjoint ranges are accepted", async () => {
    expect(await dispatch(["storage", "storage"], [0, 512])).toBeUndefined();
  });

  it("two read_write bindings of overlapping ranges are accepted, which Chrome refuses: the planner asserts it itself", async () => {
    expect(await dispatch(["storage", "storage"], [0, 256])).toBeUndefined();
  });
});

describe("waiting for the GPU", () => {
  const WAITS = 5;
  async function meanWaitMs(of: Engine): Promise<number> {
    const buffer = await of.createBuffer({ label: "wait", sizeBytes: 16, usage: GPUBufferUsage.MAP_READ });
    const start = performance.now();
    for (let i = 0; i < WAITS; i++) {
      await of.guard(buffer.mapAsync(GPUMapMode.READ));
      buffer.unmap();
    }
    const meanMs = (performance.now() - start) / WAITS;
    of.destroyBuffers([buffer]);
    return meanMs;
  }

  it("without a poke an idle queue answers after about 100 ms: when this fails, firefoxPoke.ts can go", async () => {
    const without = await Engine.request({ pokesWhileWaiting: false });
    const meanMs = await meanWaitMs(without);
    without.destroy();
    expect(meanMs).toBeGreaterThan(50);
  });

  it("with it, at once", async () => {
    expect(await meanWaitMs(engine())).toBeLessThan(50);
  });

  it("a poke is no submit, no object and no write of the engine's", async () => {
    const before = engine().calls;
    await engine().guard(new Promise((resolve) => setTimeout(resolve, 50)));
    expect(engine().calls).toEqual(before);
  });
});

describe("the adapter", () => {
  it("has no name, but says whether it is software", () => {
    const { vendor, architecture, device, description, isSoftware } = engine().adapter;
    expect([vendor, architecture, device, description]).toEqual(["", "", "", ""]);
    expect(isSoftware).toBe(engine().device.adapterInfo.isFallbackAdapter);
  });

  it("has neither subgroups nor subgroup matrices: no kernel may need them", async () => {
    const adapter = await navigator.gpu.requestAdapter();
    expect([...(adapter?.features ?? [])].filter((name) => name.startsWith("subgroup"))).toEqual([]);
  });
});
