/** Identity runs as a kind of experiment. */
import { planDocument } from "../describePlan.ts";
import type { Experiment } from "../experiments.ts";
import type { OperatorIdentityConfig } from "./config.ts";
import { identitySettings, runOperatorIdentity } from "./run.ts";

export const operatorIdentityExperiment: Experiment<OperatorIdentityConfig> = {
  run: runOperatorIdentity,
  describePlan(engine, config) {
    const [first] = identitySettings(engine, { ...config, model: { widths: config.model.widths.slice(0, 1) } });
    if (!first) throw new Error("unreachable: a configuration has one architecture at least");
    return planDocument(first.plan);
  },
  fileSource: () => undefined,
  saves: [],
};
