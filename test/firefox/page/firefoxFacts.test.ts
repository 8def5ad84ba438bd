/**
 * Facts about Firefox alone that workarounds rest on. They stand in docs/portability.md; a test that fails here says that the document,
 * and perhaps a workaround, is out of date.
 */
import { describe, expect, it } from "vitest";
import { Engine } from "../../../src/device/engine.ts";
import { useEngine } from "../../support/device.ts";

const engine = useEngine();

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
