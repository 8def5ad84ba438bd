/**
 * What a training step costs, held to numbers: dispatches, peak bytes and work of the plans that `eigenstep plan` prints for a software adapter
 * and for a GPU, without a device. A change here is a change of speed or memory: say which in the same commit.
 */
import { describe, expect, it } from "vitest";
import type { AdapterDescription } from "../../src/device/adapter.ts";
import type { Engine } from "../../src/device/engine.ts";
import type { PlanDocument } from "../../src/experiments/describePlan.ts";
import { describePlan } from "../../src/experiments/experiments.ts";
import { networkPresets } from "../../src/experiments/presets.ts";

/** Only what planning looks at: the limits of an ordinary GPU, and its features. */
function planOn(preset: string, { isSoftware }: { readonly isSoftware: boolean }): PlanDocument {
  const limits = { maxBufferSize: 2 ** 31, maxStorageBufferBindingSize: 2 ** 31 - 4 };
  const adapter = { isSoftware, features: ["subgroups"], limits } as unknown as AdapterDescription;
  const config = networkPresets[preset];
  if (!config) throw new Error(`no preset ${preset}`);
  return describePlan({ adapter } as unknown as Engine, config);
}

describe("budgets of training steps", () => {
  it.each([
    ["tiny-barlow", true, 88, 86, 1_317_888],
    ["tiny-barlow", false, 88, 86, 4_418_560],
    ["resnet18-cifar-simclr", true, 1208, 168, 3_729_499_904],
    ["resnet18-cifar-simclr", false, 1224, 184, 3_729_502_976],
  ] as const)("%s, software adapter: %s", (preset, isSoftware, dispatches, dispatchesWithoutSpectrum, peakBytes) => {
    const plan = planOn(preset, { isSoftware });
    expect({
      dispatches: plan.dispatches,
      dispatchesWithoutSpectrum: plan.dispatchesWithoutSpectrum,
      peakBytes: plan.peakBytes,
    }).toEqual({ dispatches, dispatchesWithoutSpectrum, peakBytes });
  });

  it.each(Object.keys(networkPresets))("%s has a plan on an ordinary GPU", (preset) => {
    const plan = planOn(preset, { isSoftware: false });
    expect(plan.dispatches).toBeGreaterThan(plan.dispatchesWithoutSpectrum);
    expect(plan.flops).toBeGreaterThan(1e6);
  });

  it("a step of ResNet-18 is three times its forward pass, as counted by hand", () => {
    // Convolutions of ResNet-18 with the CIFAR stem at 32 × 32: 0.5558 G multiply-adds an image (stem 1.77 M, stages of four 3×3
    // convolutions of 37.7 M each but for strided ones and shortcuts); forward, data and weight gradient; two views of 256 images. Probe and
    // projector come on top.
    const { flops } = planOn("resnet18-cifar-simclr", { isSoftware: false });
    const convolutions = 2 * 3 * 0.5558e9 * 512;
    expect(flops).toBeGreaterThan(convolutions * 0.98);
  });
});
