/** What summaries of operator and identity runs hold, read from plain JSON; shared by the page and the command. */
import { z } from "zod";
import { formatNumber } from "../format.ts";

const number = z.number().nullable();
const ends = z.object({ first: number, last: number });

const operatorSchema = z.object({
  leastCosine: number,
  largestResidual: number,
  layers: z.array(
    z.object({
      layer: z.number(),
      shape: z.array(z.number()),
      cosine: z.object({ least: number }),
      residual: z.object({ largest: number }),
      rank: ends.extend({ bound: z.number() }),
      topEigenvalue: ends,
      intraRatio: ends.optional(),
      growthError: z.object({ median: z.number() }).optional(),
    }),
  ),
});

export type OperatorMeasured = z.infer<typeof operatorSchema>;

/** Undefined for a run that measured no operators. */
export function operatorMeasured(measured: unknown): OperatorMeasured | undefined {
  return operatorSchema.safeParse(measured).data;
}

const residualSchema = z.object({
  form: z.string(),
  wrong: z.string().optional(),
  loss: z.string(),
  negatives: z.number(),
  augmentation: z.boolean(),
  beta: z.number(),
  convention: z.string(),
  layer: z.number(),
  relative: number,
});
const identitySchema = z.object({
  tolerance: z.number(),
  holds: z.boolean(),
  largest: number,
  wrongOperatorsFail: z.boolean(),
  leastWrong: number,
  outputIdentity: z.number(),
  residuals: z.array(residualSchema),
  controls: z.array(residualSchema),
});

export type IdentityResidual = z.infer<typeof residualSchema>;
export type IdentityMeasured = z.infer<typeof identitySchema>;

/** Undefined for a run that checked no identities. */
export function identityMeasured(measured: unknown): IdentityMeasured | undefined {
  return identitySchema.safeParse(measured).data;
}

export const FORMS: Readonly<Record<string, string>> = {
  pair: "(1) one pair",
  population: "(2), (5) all pairs",
  weighted: "(3) weighted pairs",
  exact: "(4) sampled",
  unit: "(6) unit outputs",
};

/** Kinds of operators with the number of checks and their largest (of wrong ones their least) residual. */
export function formRows({ residuals, controls }: IdentityMeasured): string[][] {
  const numbersOf = (all: readonly IdentityResidual[]) => all.map(({ relative }) => relative ?? Number.NaN);
  const forms = [...new Set(residuals.map(({ form }) => form))].map((form) => {
    const own = numbersOf(residuals.filter((found) => found.form === form));
    return [FORMS[form] ?? form, String(own.length), `at most ${formatNumber(Math.max(...own), 3)}`];
  });
  const wrong = [...new Set(controls.map((found) => found.wrong ?? ""))].map((name) => {
    const own = numbersOf(controls.filter((found) => found.wrong === name));
    return [`wrong: ${name}`, String(own.length), `at least ${formatNumber(Math.min(...own), 3)}`];
  });
  return [...forms, ...wrong];
}

/** One sentence on both. */
export function identitySentence(measured: IdentityMeasured): string {
  const { tolerance, residuals, largest, leastWrong, holds, wrongOperatorsFail } = measured;
  const wrong = wrongOperatorsFail ? "every wrong operator fails" : "NOT every wrong operator fails";
  return `${holds ? "all" : "NOT all"} of ${residuals.length} identities hold to ${tolerance} (largest residual ${formatNumber(largest, 3)}); ${wrong} the same check (least ${formatNumber(leastWrong, 3)})`;
}

/** Cosines near 1 by their distance from it. */
export function cosineText(cosine: number | null): string {
  if (cosine === null) return "-";
  const distance = 1 - cosine;
  return Math.abs(distance) < 1e-3 ? `1 − ${formatNumber(Math.max(distance, 0), 2)}` : formatNumber(cosine, 6);
}

/** Layer by layer: heads and rows of a table. */
export function layerRows({ layers }: OperatorMeasured): { readonly head: string[]; readonly rows: string[][] } {
  const hasRatio = layers.some(({ intraRatio }) => intraRatio !== undefined);
  const hasGrowth = layers.some(({ growthError }) => growthError !== undefined);
  const range = ({ first, last }: z.infer<typeof ends>) => `${formatNumber(first, 3)} → ${formatNumber(last, 3)}`;
  return {
    head: [
      "layer",
      "weights",
      "least cosine",
      "residual",
      "rank (at most)",
      "largest eigenvalue",
      ...(hasRatio ? ["between/within"] : []),
      ...(hasGrowth ? ["growth error"] : []),
    ],
    rows: layers.map((one) => [
      String(one.layer),
      one.shape.join(" × "),
      cosineText(one.cosine.least),
      formatNumber(one.residual.largest, 2),
      `${formatNumber(one.rank.last)} (${one.rank.bound})`,
      range(one.topEigenvalue),
      ...(hasRatio ? [one.intraRatio ? range(one.intraRatio) : "-"] : []),
      ...(hasGrowth ? [one.growthError ? `${formatNumber(100 * one.growthError.median, 2)} %` : "-"] : []),
    ]),
  };
}
