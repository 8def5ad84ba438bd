/** HLTM runs as a kind of experiment. */
import { planDocument } from "../describePlan.ts";
import type { Experiment } from "../experiments.ts";
import { planCell } from "./cellRun.ts";
import { cellsOf } from "./cells.ts";
import type { HltmConfig } from "./config.ts";
import { runHltm } from "./run.ts";

export const hltmExperiment: Experiment<HltmConfig> = {
  run: runHltm,
  describePlan(engine, config) {
    const [first] = cellsOf(config);
    if (!first) throw new Error("unreachable: there is a cell at least");
    return planDocument(planCell(engine, config, first).trainingPlan);
  },
  fileSource: () => undefined,
  saves: [],
};
