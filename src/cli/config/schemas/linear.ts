/** Linear runs. */
import { z } from "zod";
import type { LinearConfig } from "../../../experiments/linear/config.ts";
import { base, count, momentum, nonNegative, positive } from "./common.ts";

const imageData = z.strictObject({
  source: z.enum(["mnist", "cifar10"]),
  images: count,
  crop: count,
  centered: z.boolean(),
});

const syntheticData = z.strictObject({
  source: z.literal("synthetic-spectrum"),
  pairs: count,
  modes: count,
  decay: positive,
  negative: z.array(z.number().negative()),
  noise: nonNegative,
  centered: z.boolean(),
});

const biasData = z.strictObject({
  source: z.enum(["extent-bias", "amplitude-bias"]),
  pairs: count,
  noise: nonNegative,
  centered: z.boolean(),
});

export const linearSchema = z.strictObject({
  ...base,
  kind: z.literal("linear"),
  data: z.discriminatedUnion("source", [imageData, syntheticData, biasData]),
  model: z.strictObject({ outputs: count, initScale: positive }),
  optimizer: z.strictObject({ learningRate: positive, momentum }),
  record: z.strictObject({ every: count }),
  force: z.boolean(),
}) satisfies z.ZodType<LinearConfig>;
