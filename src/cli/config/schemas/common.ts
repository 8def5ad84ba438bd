/** What the schemas of all kinds share. */
import { z } from "zod";
import { MAX_SEED } from "../../../data/random.ts";
import { RUN_FORMAT } from "../../../experiments/contract.ts";

export const count = z.int().min(1);
export const positive = z.number().positive();
export const nonNegative = z.number().min(0);
export const probability = z.number().min(0).max(1);
export const momentum = z.number().min(0).lt(1);

/** Keys that every configuration has. */
export const base = {
  format: z.literal(RUN_FORMAT),
  // Becomes part of a folder name.
  preset: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, "must consist of letters, digits, hyphens and underscores"),
  seed: z.int().min(0).max(MAX_SEED),
  steps: count,
  kernels: z.strictObject({
    family: z.enum(["auto", "register", "workgroup"]),
    variants: z
      .record(
        z.string(),
        z.strictObject({ kernel: z.string(), knobs: z.record(z.string(), z.union([z.number(), z.boolean()])) }),
      )
      .optional(),
  }),
};
