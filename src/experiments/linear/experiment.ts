/** Linear runs as a kind of experiment. */
import { planTrainingStep, targetOf } from "../../train/trainingStep.ts";
import { planDocument } from "../describePlan.ts";
import type { Experiment } from "../experiments.ts";
import type { LinearConfig } from "./config.ts";
import { linearShape } from "./data.ts";
import { linearGraph } from "./graph.ts";
import { runLinear } from "./run.ts";

export const linearExperiment: Experiment<LinearConfig> = {
  run: runLinear,
  describePlan(engine, config) {
    const step = linearGraph(linearShape(config), config.optimizer.momentum);
    return planDocument(planTrainingStep(step, targetOf(engine.adapter, config.kernels.family)));
  },
  fileSource: ({ data }) => (data.source === "mnist" || data.source === "cifar10" ? data.source : undefined),
  saves: ["views", "weights", "embeddings", "spectrum"],
};
