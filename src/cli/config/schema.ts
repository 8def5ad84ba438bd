/** The shape and the ranges of a run's configuration, checked strictly: an unknown key is an error, not a silence. */
import { z } from "zod";
import { MAX_SEED } from "../../data/random.ts";
import { RUN_FORMAT, type RunConfig } from "../../experiments/contract.ts";

const count = z.int().min(1);
const positive = z.number().positive();
const nonNegative = z.number().min(0);

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

const linearConfig = z.strictObject({
  format: z.literal(RUN_FORMAT),
  // Becomes part of a folder name.
  preset: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, "must consist of letters, digits, hyphens and underscores"),
  kind: z.literal("linear"),
  seed: z.int().min(0).max(MAX_SEED),
  steps: count,
  data: z.discriminatedUnion("source", [imageData, syntheticData, biasData]),
  model: z.strictObject({ outputs: count, initScale: positive }),
  optimizer: z.strictObject({ learningRate: positive, momentum: z.number().min(0).lt(1) }),
  record: z.strictObject({ every: count }),
  kernels: z.strictObject({
    family: z.enum(["auto", "register", "workgroup"]),
    variants: z
      .record(
        z.string(),
        z.strictObject({ kernel: z.string(), knobs: z.record(z.string(), z.union([z.number(), z.boolean()])) }),
      )
      .optional(),
  }),
  force: z.boolean(),
});

/** Parses to `RunConfig`; the annotation makes the compiler compare the two. */
export const runConfigSchema: z.ZodType<RunConfig> = linearConfig;
