import { describe, expect, it } from "vitest";
import { buildKernel } from "../../src/kernels/kernel.ts";
import * as kernels from "../../src/kernels/library.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();
const plainEngine = useEngine({ defaultLimits: true });

describe("every kernel compiles with its default knobs", () => {
  for (const kernel of Object.values(kernels.library)) {
    it(`${kernel.name}, unrolled; rolled with default limits and no features`, async () => {
      await buildKernel(engine(), kernel, {});
      await buildKernel(plainEngine(), kernel, {}, { unroll: false });
      expect(kernel.shader.entry).toBe(kernel.name.split("/").pop());
    });
  }
});
