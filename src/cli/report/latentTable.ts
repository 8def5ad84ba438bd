/** What an HLTM run has learned of its latents, as text: correlations by level of every cell. */
import { z } from "zod";
import { alignColumns } from "../../report/format.ts";

const cellsSchema = z.object({
  cells: z.array(
    z.looseObject({
      width: z.number(),
      polarity: z.tuple([z.number(), z.number()]),
      correlation: z.object({
        levels: z.array(z.number()),
        epochs: z.array(z.number()),
        mean: z.array(z.array(z.number())),
        std: z.array(z.array(z.number())),
        seeds: z.number(),
      }),
    }),
  ),
});
export type LatentCells = z.infer<typeof cellsSchema>["cells"];

/** Cells of `measured`, if the run has any. */
export function latentCellsOf(measured: unknown): LatentCells | undefined {
  return cellsSchema.safeParse(measured).data?.cells;
}

/** At most 80 columns wide for trees of up to five levels: the first, the second and the last measurement of each cell. */
export function latentTable(cells: LatentCells): string[] {
  const levels = cells[0]?.correlation.levels ?? [];
  const header = [
    "width",
    "|ρ| from",
    "epoch",
    ...levels.map((level, index) => (index === 0 ? `${level} (root)` : String(level))),
  ];
  const rows = cells.flatMap(({ width, polarity, correlation }) => {
    const last = correlation.epochs.length - 1;
    return [...new Set([0, 1, last])]
      .filter((row) => row >= 0 && row <= last)
      .map((row, index) => [
        index === 0 ? String(width) : "",
        index === 0 ? String(polarity[0]) : "",
        String(Math.round(100 * (correlation.epochs[row] ?? 0)) / 100),
        ...levels.map((_, level) => {
          const mean = correlation.mean[row]?.[level]?.toFixed(2) ?? "-";
          return `${mean} ± ${correlation.std[row]?.[level]?.toFixed(2) ?? "-"}`;
        }),
      ]);
  });
  return alignColumns([header, ...rows]);
}
