import { describe, expect, it } from "vitest";
import { buildKernel } from "../../src/kernels/kernel.ts";
import { library } from "../../src/kernels/registry.ts";
import { useEngine } from "../support/device.ts";
import { lacksFeatures, skipWithoutFeatures } from "../support/features.ts";

const engine = useEngine();
const plainEngine = useEngine({ defaultLimits: true });

describe("every kernel compiles with its default knobs", () => {
  for (const kernel of Object.values(library)) {
    it(`${kernel.name}, unrolled; rolled with default limits and no features`, async (context) => {
      skipWithoutFeatures(context, engine(), [kernel]);
      await buildKernel(engine(), kernel, {});
      if (lacksFeatures(plainEngine(), kernel)) {
        await expect(buildKernel(plainEngine(), kernel, {})).rejects.toMatchObject({ code: "KERNEL-FEATURE" });
      } else {
        await buildKernel(plainEngine(), kernel, {}, { unroll: false });
      }
      expect(kernel.shader.entry).toBe(kernel.name.split("/").pop());
    });
  }
});
