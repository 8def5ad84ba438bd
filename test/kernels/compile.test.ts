import { describe, expect, it } from "vitest";
import { buildKernel } from "../../src/kernels/kernel.ts";
import { library } from "../../src/kernels/registry.ts";
import { useEngine } from "../support/device.ts";
import { lacksFeatures, skipWithoutFeatures } from "../support/features.ts";

const engine = useEngine();
const plainEngine = useEngine({ defaultLimits: true });

describe("every kernel compiles with its default knobs", () => {
  for (const kernel of Object.values(library)) {
    it(`${kernel.name}, unrolled and rolled, with default limits and no features, unless it enables one`, async (context) => {
      const storage = Object.values(kernel.shader.bindings).filter(({ type }) => type !== "uniform");
      expect(plainEngine().adapter.limits.maxStorageBuffersPerShaderStage).toBe(8);
      expect(storage.length).toBeLessThanOrEqual(8);
      expect(kernel.shader.entry).toBe(kernel.name.split("/").pop());
      if (lacksFeatures(plainEngine(), kernel)) {
        // Each such kernel has a plain one beside it, which gives the same bits.
        await expect(buildKernel(plainEngine(), kernel, {})).rejects.toMatchObject({ code: "KERNEL-FEATURE" });
        skipWithoutFeatures(context, engine(), [kernel]);
        await buildKernel(engine(), kernel, {});
      } else {
        await buildKernel(plainEngine(), kernel, {});
        await buildKernel(plainEngine(), kernel, {}, { unroll: false });
      }
    });
  }
});
