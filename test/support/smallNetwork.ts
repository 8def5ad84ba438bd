/** Presets of network runs made small enough for a test. */
import type { NetworkConfig } from "../../src/experiments/network/config.ts";
import { networkPresets } from "../../src/experiments/presets.ts";

/** A small run of a preset: 8 pairs of 8 × 8 pixels. */
export function small(name: string, changes: Partial<NetworkConfig> = {}): NetworkConfig {
  const config = networkPresets[name];
  if (!config) throw new Error(`no preset ${name}`);
  const { data } = config;
  const sampling =
    data.sampling.kind === "fixed"
      ? { ...data.sampling, pairs: 8 }
      : { ...data.sampling, images: 24, batch: 8, probe: 12 };
  return {
    ...config,
    steps: 6,
    data: { ...data, sampling, side: 8 },
    record: { every: 3, logSpaced: 0 },
    ...changes,
  };
}

export function withRate(config: NetworkConfig, learningRate: number): NetworkConfig {
  return { ...config, optimizer: { ...config.optimizer, learningRate } };
}
