/** The first principal components of the recorded embeddings: a point becomes a line, a plane, a space as modes are learned. */
import type { MetricsRecord } from "../../experiments/contract.ts";
import { escaped } from "../markup.ts";
import type { Staircase } from "../staircase.ts";
import { sectionHeading } from "../tables.ts";
import { flat, OBLIQUE, type Picture, scatterSvg } from "./scatter.ts";

const COMPONENTS = 3;

export function pcaSection(
  records: readonly MetricsRecord[],
  staircase: Staircase | undefined,
  label: string | undefined,
): string {
  const known = records.filter(({ extra }) => Array.isArray(extra?.pca) && extra.pca.every(Number.isFinite));
  const last = known.at(-1);
  if (!last) return "";
  const chosen = moments(known, staircase);
  const extent = Math.max(...chosen.flatMap(({ record }) => pointsOf(record).flat().map(Math.abs)));
  const course = chosen.map(({ record, title }): Picture => ({ title, points: pointsOf(record), projection: OBLIQUE }));
  const planes = [flat(0, 1), flat(0, 2), flat(1, 2)].map((projection): Picture => {
    const [right = 0, up = 1] = projection.axes;
    return { title: `components ${right + 1} and ${up + 1}, step ${last.step}`, points: pointsOf(last), projection };
  });
  return `${sectionHeading("Embeddings along their principal axes", label)}
<figure data-panel="pca">
${scatterSvg(course, extent, "Recorded embeddings along their first three principal axes, at several steps")}
${scatterSvg(planes, extent, "Recorded embeddings of the last record, along each two of their first three principal axes")}
<figcaption>${escaped(CAPTION)}</figcaption>
</figure>`;
}

const CAPTION =
  "Centred embeddings of the recorded pairs along the first three principal axes of that record, all pictures at one scale. Blue: first views; orange: second views of the same images, joined by a line.";

interface Moment {
  readonly record: MetricsRecord;
  readonly title: string;
}

/** The first record; with at least three steps, the middles between steps 1 and 2 and 2 and 3, else the middle record; the last. */
function moments(records: readonly MetricsRecord[], staircase: Staircase | undefined): Moment[] {
  const [first, last] = [records[0], records.at(-1)];
  if (!first || !last) return [];
  // Times count from 1.
  const [one, two, three] = (staircase?.stairs ?? []).flatMap(({ time }) => (time === null ? [] : [time - 1]));
  const named = (what: string, record: MetricsRecord): Moment => ({ record, title: `${what}: step ${record.step}` });
  const between =
    one === undefined || two === undefined || three === undefined
      ? [named("middle", nearest(records, last.step / 2))]
      : [
          named("one mode learned", nearest(records, (one + two) / 2)),
          named("two modes learned", nearest(records, (two + three) / 2)),
        ];
  const all = [named("at first", first), ...between, named("at last", last)];
  return all.filter(({ record }, index) => all.findIndex((other) => other.record === record) === index);
}

function nearest(records: readonly MetricsRecord[], step: number): MetricsRecord {
  return records.reduce((best, one) => (Math.abs(one.step - step) < Math.abs(best.step - step) ? one : best));
}

/** Coordinates lie one point after the other, as many components each as there are eigenvalues, three at most. */
function pointsOf({ extra, spectrum }: MetricsRecord): number[][] {
  const flattened = extra?.pca;
  if (!Array.isArray(flattened)) return [];
  const components = Math.min(COMPONENTS, spectrum.length);
  const points = Math.floor(flattened.length / components);
  return Array.from({ length: points }, (_, point) =>
    Array.from({ length: COMPONENTS }, (_, axis) =>
      axis < components ? (flattened[point * components + axis] as number) : 0,
    ),
  );
}
