import { describe, expect, it } from "vitest";
import { buildKernel } from "../../src/kernels/kernel.ts";
import * as kernels from "../../src/kernels/library.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();

describe("every kernel compiles with its default knobs, rolled and unrolled", () => {
  for (const kernel of Object.values(kernels.library)) {
    it(kernel.name, async () => {
      await buildKernel(engine(), kernel, {});
      await buildKernel(engine(), kernel, {}, { unroll: false });
      expect(kernel.shader.entry).toBe(kernel.name.split("/").pop());
    });
  }
});
