/** The recorded spectrum at the end of a run: how many directions it has, and whether it falls into two groups. */
import { z } from "zod";
import type { MetricsRecord } from "../../experiments/contract.ts";
import { formatNumber } from "../format.ts";
import { escaped } from "../markup.ts";
import { type Row, rowTable, sectionHeading } from "../tables.ts";
import { histogramSvg } from "./histogram.ts";

const schema = z.object({
  spectrumOf: z.string(),
  parameters: z.number().optional(),
  effectiveRank: z.number().optional(),
  participationRatio: z.number().optional(),
  stableRank: z.number().optional(),
  bimodality: z
    .object({
      coefficient: z.number().nullable(),
      twoClassVariance: z.number().nullable(),
      upper: z.number(),
      omitted: z.number(),
    })
    .optional(),
});

type Measured = z.infer<typeof schema>;

/** Bimodality coefficient of a uniform distribution. */
const UNIFORM_COEFFICIENT = 5 / 9;

/** @param measured of the run's summary */
export function spectrumSection(
  records: readonly MetricsRecord[],
  measured: unknown,
  label: string | undefined,
): string {
  const known = schema.safeParse(measured).data;
  const finite = records.filter(({ spectrum }) => spectrum.length > 0 && spectrum.every(Number.isFinite));
  const [first, last] = [finite[0], finite.at(-1)];
  if (!known || !first || !last) return "";
  const figure = histogramFigure(first, last, known);
  return `${sectionHeading("The spectrum at the end", label)}
${rowTable(rankRows(known, last))}
${figure}`;
}

function rankRows(known: Measured, { spectrum, step }: MetricsRecord): Row[] {
  const { parameters, effectiveRank, participationRatio, stableRank } = known;
  return [
    ["record", `step ${step}, ${spectrum.length} eigenvalues of ${known.spectrumOf}`],
    ["effective rank (exponential of the entropy)", formatNumber(effectiveRank)],
    ["participation ratio", formatNumber(participationRatio)],
    ["stable rank (sum of eigenvalues over the largest)", formatNumber(stableRank)],
    ...(parameters === undefined ? [] : [["parameters trained", parameters.toLocaleString("en")] as const]),
  ];
}

function histogramFigure(first: MetricsRecord, last: MetricsRecord, known: Measured): string {
  const { bimodality, spectrumOf } = known;
  const values = logarithms(last);
  if (!bimodality || values.length < 4) return "";
  const { upper, omitted } = bimodality;
  const [above, below] = [values[upper - 1], values[upper]];
  const split = above === undefined || below === undefined ? undefined : (above + below) / 2;
  const svg = histogramSvg({
    last: values,
    first: logarithms(first),
    split,
    axis: "log₁₀ of the eigenvalue",
    description: `Histogram of the logarithms of the eigenvalues of ${spectrumOf} in the last record`,
  });
  const left = omitted > 0 ? ` ${omitted} eigenvalues of the last record are not positive and have no logarithm.` : "";
  return `<figure data-panel="histogram">
${svg}
<figcaption>${escaped(`Eigenvalues of ${spectrumOf}, by their logarithm.${left}`)}</figcaption>
</figure>
<p>${escaped(bimodalitySentence(bimodality, values.length))}</p>`;
}

/** Descending. */
function logarithms({ spectrum }: MetricsRecord): number[] {
  return spectrum.flatMap((value) => (value > 0 ? [Math.log10(value)] : [])).sort((a, b) => b - a);
}

function bimodalitySentence(
  { coefficient, twoClassVariance, upper }: NonNullable<Measured["bimodality"]>,
  count: number,
) {
  return [
    `Bimodality coefficient ${formatNumber(coefficient, 3)} (above ${formatNumber(UNIFORM_COEFFICIENT, 3)}, that of a uniform distribution, suggests two groups).`,
    `The best split, ${upper} of ${count} eigenvalues above and ${count - upper} below, explains ${formatNumber(100 * (twoClassVariance ?? Number.NaN), 3)} % of the variance of log₁₀ λ (64 % of a normal, 75 % of a uniform distribution).`,
    count < 16 ? "With so few eigenvalues neither number proves much." : "",
  ]
    .join(" ")
    .trim();
}
