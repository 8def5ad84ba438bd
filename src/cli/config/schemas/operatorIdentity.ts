/** Identity runs. What depends on several values is checked where the run begins. */
import { z } from "zod";
import type { OperatorIdentityConfig } from "../../../experiments/operatorIdentity/config.ts";
import { base, count, nonNegative, positive } from "./common.ts";

export const operatorIdentitySchema = z.strictObject({
  ...base,
  kind: z.literal("operator-identity"),
  model: z.strictObject({ widths: z.array(z.array(count).min(2)).min(1) }),
  data: z.strictObject({ images: count, augmentations: count, noise: positive, tuples: count }),
  loss: z.strictObject({
    kinds: z.array(z.enum(["simple", "triplet", "infoNce"])).min(1),
    negatives: z.array(count).min(1),
    betas: z.array(z.number()).min(1),
    temperature: positive,
    margin: nonNegative,
  }),
  tolerance: positive,
}) satisfies z.ZodType<OperatorIdentityConfig>;
