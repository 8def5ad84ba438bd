/** The shape and the ranges of a run's configuration, checked strictly: an unknown key is an error, not a silence. */
import { z } from "zod";
import type { RunConfig } from "../../../experiments/contract.ts";
import { hltmSchema } from "./hltm.ts";
import { linearSchema } from "./linear.ts";
import { networkSchema } from "./network.ts";
import { operatorIdentitySchema } from "./operatorIdentity.ts";
import { operatorTrainingSchema } from "./operatorTraining.ts";

/** Parses to `RunConfig`; the annotation makes the compiler compare the two. */
export const runConfigSchema: z.ZodType<RunConfig> = z.discriminatedUnion("kind", [
  linearSchema,
  networkSchema,
  operatorIdentitySchema,
  operatorTrainingSchema,
  hltmSchema,
]);
