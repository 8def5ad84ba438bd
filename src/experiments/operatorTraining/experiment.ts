/** Operator runs as a kind of experiment. */
import { planTrainingStep, targetOf } from "../../train/trainingStep.ts";
import { planDocument } from "../describePlan.ts";
import type { Experiment } from "../experiments.ts";
import { fileLayout, pixelsOnGpu } from "../imageFiles.ts";
import { checkConfig } from "./checks.ts";
import type { OperatorTrainingConfig } from "./config.ts";
import { operatorGraph } from "./graph.ts";
import { runOperatorTraining } from "./run.ts";

export const operatorTrainingExperiment: Experiment<OperatorTrainingConfig> = {
  run: runOperatorTraining,
  describePlan(engine, config) {
    checkConfig(config);
    const { maxStorageBufferBindingSize: largest } = engine.adapter.limits;
    const pixels = pixelsOnGpu(config.data.images, fileLayout(config.data.source), largest);
    const { step } = operatorGraph(config, pixels, largest);
    return planDocument(planTrainingStep(step, targetOf(engine.adapter, config.kernels.family)));
  },
  fileSource: ({ data }) => data.source,
  saves: ["weights", "spectrum"],
};
