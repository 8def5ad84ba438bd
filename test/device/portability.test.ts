/**
 * Where the two implementations of WebGPU differ, as far as this engine meets it or guards against it: Dawn and Tint (Chrome, Node), wgpu
 * and naga (Firefox). Runs in both; docs/portability.md lists the facts, and a test that fails here says that it is out of date.
 */
import { describe, expect, it } from "vitest";
import { pollsSlowly } from "../../src/device/firefoxPoke.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();
const isNaga = pollsSlowly(globalThis.navigator?.userAgent ?? "");

/** Messages of the compiler's errors; none when it accepts the code. */
async function compile(code: string): Promise<readonly string[]> {
  const { device } = engine();
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const info = await module.getCompilationInfo();
  await device.popErrorScope();
  return info.messages.filter(({ type }) => type === "error").map(({ message }) => message);
}

const main = (body: string, before = "") => `
  @group(0) @binding(0) var<storage, read_write> y: array<f32>;
  var<workgroup> tile: array<f32, 4>;
  ${before}
  @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) lane: u32) { ${body} }`;

interface Probe {
  readonly what: string;
  readonly code: string;
  readonly tint: "accepts" | "refuses";
  readonly naga: "accepts" | "refuses";
}

const PROBES: readonly Probe[] = [
  {
    what: "the control: a barrier between writing and reading workgroup memory",
    code: main("tile[lane] = 1.0; workgroupBarrier(); y[lane] = tile[3u - lane];"),
    tint: "accepts",
    naga: "accepts",
  },
  {
    what: "a pointer to workgroup memory as a parameter (so includes use module-scope variables)",
    code: main("put(&tile);", "fn put(t: ptr<workgroup, array<f32, 4>>) { (*t)[0] = 1.0; }"),
    tint: "accepts",
    naga: "refuses",
  },
  {
    what: "a pointer to storage as a parameter",
    code: main("put(&y);", "fn put(t: ptr<storage, array<f32>, read_write>) { (*t)[0] = 1.0; }"),
    tint: "accepts",
    naga: "refuses",
  },
  {
    what: "a barrier in control flow that is not uniform (so passing in Firefox proves no uniformity)",
    code: main("if (lane < 2u) { workgroupBarrier(); } y[lane] = 1.0;"),
    tint: "refuses",
    naga: "accepts",
  },
  {
    what: "a loop ended around a barrier by a flag in workgroup memory (so flags are read by workgroupUniformLoad)",
    code: main("loop { workgroupBarrier(); if (tile[0] == 0.0) { break; } } y[lane] = 1.0;"),
    tint: "refuses",
    naga: "accepts",
  },
  {
    what: "an array in a function sized by an override (so specialize() writes constants)",
    code: main("var r: array<f32, N>; y[lane] = r[0];", "override N: u32 = 4u;"),
    tint: "refuses",
    naga: "refuses",
  },
  {
    what: "a workgroup array sized by an override",
    code: main("more[lane] = 1.0; y[lane] = more[0];", "override N: u32 = 4u; var<workgroup> more: array<f32, N>;"),
    tint: "accepts",
    naga: "accepts",
  },
  {
    what: "a constant that overflows (so infinities come from bits, not from expressions)",
    code: main("y[lane] = 1e38 * 1e38f;"),
    tint: "refuses",
    naga: "refuses",
  },
];

describe("the compilers", () => {
  for (const { what, code, tint, naga } of PROBES) {
    it(`Tint ${tint}, naga ${naga}: ${what}`, async () => {
      const errors = await compile(code);
      expect([errors.length === 0 ? "accepts" : "refuses", errors]).toEqual([isNaga ? naga : tint, errors]);
    });
  }
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

  it("read and read_write of one buffer is an error in both, even of disjoint ranges: the planner gives slots of their own", async () => {
    expect(await dispatch(["read-only-storage", "storage"], [0, 512])).toBeTypeOf("string");
  });

  it("two read_write bindings of disjoint ranges are accepted by both", async () => {
    expect(await dispatch(["storage", "storage"], [0, 512])).toBeUndefined();
  });

  it("two read_write bindings of overlapping ranges: wgpu accepts what Dawn refuses, so that the planner asserts it itself", async () => {
    expect(await dispatch(["storage", "storage"], [0, 256])).toEqual(isNaga ? undefined : expect.any(String));
  });
});
