/** Thinned curves look like the whole ones: a bound on the distance for every point, extremes kept, and a bound on the count. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEVIATION_PX, extremesByColumn, type Points, simplified, thinCurves } from "../../src/report/thinning.ts";
import { TestRandom } from "../support/random.ts";

const curve = fc
  .array(fc.tuple(fc.double({ min: 0, max: 3, noNaN: true }), fc.double({ min: 0, max: 300, noNaN: true })), {
    minLength: 1,
    maxLength: 300,
  })
  .map((parts): Points => {
    let x = 0;
    return {
      x: Float64Array.from(parts, ([advance]) => (x += advance)),
      y: Float64Array.from(parts, ([, height]) => height),
    };
  });

/** Distance of a point from a polyline, by its definition. */
function distanceTo(line: Points, x: number, y: number): number {
  let least = Math.hypot(x - line.x[0]!, y - line.y[0]!);
  for (let at = 1; at < line.x.length; at++) {
    const [x0, y0, x1, y1] = [line.x[at - 1]!, line.y[at - 1]!, line.x[at]!, line.y[at]!];
    const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
    const along = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length));
    least = Math.min(least, Math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)));
  }
  return least;
}

describe("first, lowest, highest and last of every pixel column", () => {
  it("keep the range of every column, in order, with at most four points", () => {
    fc.assert(
      fc.property(curve, (points) => {
        const kept = extremesByColumn(points);
        const rangeOf = ({ x, y }: Points) => {
          const ranges = new Map<number, [number, number, number]>();
          x.forEach((value, index) => {
            const column = Math.floor(value);
            const [low, high, count] = ranges.get(column) ?? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
            ranges.set(column, [Math.min(low, y[index]!), Math.max(high, y[index]!), count + 1]);
          });
          return ranges;
        };
        const [whole, thin] = [rangeOf(points), rangeOf(kept)];
        expect([...thin.keys()]).toEqual([...whole.keys()]);
        for (const [column, [low, high, count]] of thin) {
          expect([low, high]).toEqual(whole.get(column)!.slice(0, 2));
          expect(count).toBeLessThanOrEqual(4);
        }
        expect([...kept.x]).toEqual([...kept.x].sort((a, b) => a - b));
        expect([kept.x[0], kept.x.at(-1)]).toEqual([points.x[0], points.x.at(-1)]);
      }),
    );
  });
});

describe("Ramer–Douglas–Peucker", () => {
  it("leaves no point further away than the deviation", () => {
    fc.assert(
      fc.property(curve, fc.constantFrom(0.2, 3, 40), (points, deviation) => {
        const kept = simplified(points, deviation);
        points.x.forEach((x, index) => {
          expect(distanceTo(kept, x, points.y[index]!)).toBeLessThanOrEqual(deviation * (1 + 1e-9));
        });
      }),
    );
  });

  it("reduces a straight line to its ends, and keeps a corner", () => {
    const x = Float64Array.from({ length: 101 }, (_, index) => index);
    expect([...simplified({ x, y: x.map((value) => 2 * value) }, 0.2).x]).toEqual([0, 100]);
    expect([...simplified({ x, y: x.map((value) => Math.max(0, value - 40)) }, 0.2).x]).toEqual([0, 40, 100]);
  });
});

describe("thinCurves", () => {
  it("a logistic step keeps its crossing of one half within the deviation", () => {
    const x = Float64Array.from({ length: 5001 }, (_, index) => (770 * index) / 5000);
    const y = x.map((value) => 300 / (1 + Math.exp(-(value - 400) / 4)));
    const [thin] = thinCurves([{ x, y }], 20_000);
    expect(thin!.x.length).toBeLessThan(60);
    const at = thin!.y.findIndex((value) => value >= 150);
    const share = (150 - thin!.y[at - 1]!) / (thin!.y[at]! - thin!.y[at - 1]!);
    expect(Math.abs(thin!.x[at - 1]! + share * (thin!.x[at]! - thin!.x[at - 1]!) - 400)).toBeLessThan(DEVIATION_PX);
  });

  it("keeps to its allowance with 64 curves of noise", () => {
    const random = new TestRandom(3);
    const x = Float64Array.from({ length: 5000 }, (_, index) => (770 * index) / 5000);
    const noise = Array.from({ length: 64 }, () => ({ x, y: Float64Array.from(random.normals(5000, 20)) }));
    const count = thinCurves(noise, 20_000).reduce((sum, points) => sum + points.x.length, 0);
    expect(count).toBeLessThanOrEqual(20_000);
    expect(count).toBeGreaterThan(2_000);
  });

  it("what is not finite is a gap; nothing at all is no curve", () => {
    const x = Float64Array.from([0, 1, 2, 3, 4, 5]);
    const [gap, none] = thinCurves(
      [
        { x, y: Float64Array.from([1, 5, Number.NaN, Number.POSITIVE_INFINITY, 7, 9]) },
        { x, y: x.map(() => Number.NaN) },
      ],
      100,
    );
    const finite = [...gap!.x].filter((_, index) => Number.isFinite(gap!.y[index]));
    expect(finite).toEqual([0, 1, 4, 5]);
    expect([...gap!.y].findIndex(Number.isNaN)).toBe(2);
    expect([...none!.y].filter(Number.isFinite)).toEqual([]);
  });
});
