/** Network runs as a kind of experiment. */
import { planTrainingStep, targetOf } from "../../train/trainingStep.ts";
import { planDocument } from "../describePlan.ts";
import type { Experiment } from "../experiments.ts";
import type { NetworkConfig } from "./config.ts";
import { checkSizes, fileLayout, pixelSource } from "./data.ts";
import { requireFit } from "./fit.ts";
import { networkGraph } from "./graph.ts";
import { runNetwork } from "./run.ts";

export const networkExperiment: Experiment<NetworkConfig> = {
  run: runNetwork,
  describePlan(engine, config) {
    checkSizes(config);
    const { maxStorageBufferBindingSize } = engine.adapter.limits;
    const pixels = pixelSource(config, fileLayout(config.data.source), maxStorageBufferBindingSize);
    const { step } = networkGraph(config, pixels);
    const plan = planTrainingStep(step, targetOf(engine.adapter, config.kernels.family));
    requireFit(engine, config, plan, pixels);
    return planDocument(plan);
  },
  fileSource: ({ data }) => data.source,
  saves: ["views", "weights", "embeddings", "spectrum"],
};
