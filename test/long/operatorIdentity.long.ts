/** Must show: every identity of the preset `operator-identity` below its tolerance, every wrong operator above it. */
import { expect, it } from "vitest";
import type { OperatorIdentityConfig } from "../../src/experiments/operatorIdentity/config.ts";
import type { Residual } from "../../src/experiments/operatorIdentity/findings.ts";
import { presets } from "../../src/experiments/presets.ts";
import { useEngine } from "../support/device.ts";
import { runToEnd } from "../support/runs.ts";

const engine = useEngine();

it("the preset: all architectures, losses, H ∈ {1, 3, 8}, β ∈ {−0.5, 0, 0.5}, with and without augmentation", async () => {
  const config = presets["operator-identity"] as OperatorIdentityConfig;
  const { result } = await runToEnd(engine(), config, { save: [] });
  const { residuals, controls, ...verdict } = result.measured as {
    residuals: Residual[];
    controls: Residual[];
    [key: string]: unknown;
  };
  expect(verdict).toMatchObject({ holds: true, wrongOperatorsFail: true, tolerance: 1e-4, vanishingGradients: 0 });
  expect(Math.max(...residuals.map(({ relative }) => relative))).toBeLessThan(1e-4);
  expect(Math.min(...controls.map(({ relative }) => relative))).toBeGreaterThan(1e-2);
  expect([...new Set(residuals.map(({ negatives }) => negatives))].sort()).toEqual(expect.arrayContaining([1, 3, 8]));
});
