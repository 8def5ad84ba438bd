/** Every preset on a ResNet, narrowed to what a software adapter steps in seconds: its loss, optimiser, views and networks together. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeFolder } from "../../src/cli/nodeFiles.ts";
import type { NetworkConfig } from "../../src/experiments/network/config.ts";
import { networkPresets } from "../../src/experiments/presets.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { runToEnd } from "../support/runs.ts";

const engine = useEngine({ unrollsLoops: false });
const STL10 = join(process.env.EIGENSTEP_SAMPLES ?? join("..", "shared", "data"), "stl10_binary");
const NAMES = Object.keys(networkPresets).filter((name) => /resnet/.test(name));

/** A sixteenth of the channels, 4 pairs of 32 × 32, one step of warm-up. */
function narrowed(name: string): NetworkConfig {
  const { model, optimizer, spectrum, ...config } = networkPresets[name]!;
  const narrow = (widths: readonly number[]) => widths.map((width) => Math.max(8, Math.ceil(width / 64)));
  const { encoder, projector, predictor } = model;
  if (encoder.kind !== "resnet" || projector.kind === "head") throw new Error(`${name} is no preset on a ResNet`);
  const schedule = optimizer.schedule.kind === "constant" ? {} : { warmupSteps: 1 };
  return {
    ...config,
    steps: 3,
    data: { ...config.data, sampling: { kind: "fresh", images: 8, batch: 4, probe: 4 }, side: 32, maxBytes: 0 },
    model: {
      ...model,
      encoder: { ...encoder, width: 1 / 16 },
      projector: { ...projector, widths: narrow(projector.widths) },
      predictor:
        predictor.kind === "none"
          ? predictor
          : { ...predictor, widths: narrow(predictor.widths) as unknown as readonly [number, number] },
    },
    optimizer: { ...optimizer, schedule: { ...optimizer.schedule, ...schedule } } as NetworkConfig["optimizer"],
    spectrum,
    record: { every: 1, logSpaced: 0 },
  };
}

describe("presets on ResNets", () => {
  const isThere = (name: string) => networkPresets[name]?.data.source !== "stl10" || existsSync(STL10);

  it.skip.each(NAMES.filter((name) => !isThere(name)))("%s: STL-10 is not there", () => {});

  it.each(NAMES.filter(isThere))("%s trains, narrowed", async (name) => {
    const config = narrowed(name);
    const data = config.data.source === "stl10" ? nodeFolder(STL10) : cifarFolder().folder;
    const { records, result } = await runToEnd(engine(), config, { data });
    expect(result.stopped).toBeUndefined();
    expect(records.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
    expect(records.every(({ loss, spectrum }) => [loss, ...spectrum].every(Number.isFinite))).toBe(true);
    // The parameters move, if not in the first step of a warm-up from 0.
    expect(records[3]!.loss).not.toBe(records[0]!.loss);
  });
});
