/** HLTM runs. What depends on several values, and on the device, is checked where the run begins. */
import { z } from "zod";
import { type HltmConfig, MAX_WIDTH } from "../../../experiments/hltm/config.ts";
import { base, count, nonNegative, positive, probability } from "./common.ts";

const polarity = z
  .number("must be a number")
  .min(0, "must be from 0 to 1: signs are drawn")
  .max(1, "must be from 0 to 1");
const width = count.max(MAX_WIDTH);

const loss = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("batchSigmoid"), temperature: positive }),
  z.strictObject({ kind: z.literal("batchDifference") }),
  z.strictObject({ kind: z.literal("infoNce"), temperature: positive }),
  z.strictObject({ kind: z.literal("softTriplet"), temperature: positive, margin: nonNegative }),
  z.strictObject({ kind: z.literal("simpleContrastive") }),
]);

export const hltmSchema = z.strictObject({
  ...base,
  kind: z.literal("hltm"),
  seeds: count,
  tree: z.strictObject({
    depth: count,
    branching: count,
    polarity: z.tuple([polarity, polarity]),
    conditionals: z.enum(["symmetric", "asymmetric"]),
    prior: probability.gt(0).lt(1),
    draw: z.enum(["per-seed", "shared"]),
  }),
  model: z.strictObject({ width }),
  data: z.strictObject({ batch: count, negatives: z.enum(["independent", "opposite"]) }),
  loss,
  optimizer: z.strictObject({ learningRate: positive }),
  record: z.strictObject({ every: count, samples: count, operatorSamples: count }),
  sweep: z.strictObject({ widths: z.array(width), polarities: z.array(polarity) }),
}) satisfies z.ZodType<HltmConfig>;
