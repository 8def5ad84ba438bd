/** Tests of kernels that enable a device feature are skipped, with the reason, where the adapter does not have it (Firefox: subgroups). */
import type { TestContext } from "vitest";
import type { Engine } from "../../src/device/engine.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";

export function lacksFeatures({ device }: Engine, { shader }: Kernel): boolean {
  return shader.features.some((feature) => !device.features.has(feature as GPUFeatureName));
}

export function skipWithoutFeatures(context: TestContext, engine: Engine, kernels: readonly Kernel[]): void {
  const missing = kernels.find((kernel) => lacksFeatures(engine, kernel));
  if (missing) context.skip(`the device has not ${missing.shader.features.join(", ")}, which ${missing.name} enables`);
}
