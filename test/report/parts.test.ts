/** The parts of the figure that have right answers: theory curves, ticks, labels, escaping. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scaleOf, ticksOf } from "../../src/report/axes.ts";
import { descentCurves, flowCurves, measuredCurves } from "../../src/report/curves.ts";
import { placedLabels, spreadLabels } from "../../src/report/labels.ts";
import { attributes, escaped } from "../../src/report/markup.ts";
import { makeRun } from "./runFolders.ts";

describe("theory curves", () => {
  // gamma = 1, 1/2, 1/4, s(0) = 1e-3: values computed apart, by the closed form in higher precision.
  const theory = { gamma: [1, 0.5, 0.25], amplitudes: [1e-3, 1e-3, 1e-3] };

  it("gradient flow has the aligned solution's values", () => {
    const { eigenvalues } = flowCurves(theory, Float64Array.of(0, 3));
    const s = [0.99998112, 0.38795232, 0.02008453];
    for (const [mode, { y }] of eigenvalues.entries()) {
      expect(y[0]).toBeCloseTo(theory.gamma[mode]! * 1e-6, 15);
      expect(y[1]).toBeCloseTo(theory.gamma[mode]! * s[mode]! ** 2, 7);
    }
  });

  it("its loss is the staircase, and one half is reached at the step times", () => {
    const { loss, eigenvalues } = flowCurves(theory, Float64Array.of(1.72693882, 3.62716443, 7.60090246, 40));
    for (const mode of [0, 1, 2]) expect(eigenvalues[mode]!.y[mode]).toBeCloseTo(0.5, 5);
    expect(loss.y[3]).toBeCloseTo(0, 12);
    loss.y.forEach((value, at) => {
      expect(value).toBeCloseTo(
        eigenvalues.reduce((sum, { y }) => sum + (1 - y[at]!) ** 2, 0),
        12,
      );
    });
  });

  it("gradient descent is what a run of aligned modes does, step by step", () => {
    const run = makeRun({ steps: 300 });
    const { gamma, amplitudes } = run.summary.theory as { gamma: number[]; amplitudes: number[] };
    const descent = { learningRate: 0.02, momentum: 0, steps: 300 };
    const predicted = descentCurves({ gamma: gamma.slice(0, 3), amplitudes }, descent)!;
    const measured = measuredCurves(run.records);
    expect(predicted.loss.t).toEqual(measured.loss.t);
    predicted.loss.y.forEach((value, at) => {
      expect(value).toBeCloseTo(measured.loss.y[at]!, 12);
    });
  });

  it("a long run is sampled, its first and last step included; one that is too long is left to gradient flow", () => {
    const long = descentCurves(theory, { learningRate: 1e-5, momentum: 0.5, steps: 1_000_003 })!;
    expect(long.loss.t.length).toBeLessThan(25_000);
    expect(long.loss.t[1]).toBeCloseTo(2e-5, 12);
    expect(long.loss.t.at(-1)).toBeCloseTo(20.00006, 9);
    expect(descentCurves(theory, { learningRate: 1e-5, momentum: 0, steps: 1e9 })).toBeUndefined();
  });
});

describe("axes", () => {
  it("map the ends of the domain to the ends of the range", () => {
    const log = scaleOf({ scale: "log", domain: [0.01, 100], label: "" }, [0, 400]);
    expect([0.01, 1, 100].map(log).map((x) => Number(x.toFixed(9)))).toEqual([0, 200, 400]);
    const linear = scaleOf({ scale: "linear", domain: [-1, 1], label: "" }, [200, 0]);
    expect([-1, 0, 1].map(linear)).toEqual([200, 100, 0]);
  });

  const labels = (domain: [number, number], scale: "log" | "linear" = "log") =>
    ticksOf({ scale, domain, label: "" }, 6).flatMap(({ label }) => label || []);
  it.each([
    [
      [0.03, 11],
      ["0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"],
    ],
    [
      [1e-9, 2],
      ["10⁻⁸", "10⁻⁶", "10⁻⁴", "0.01", "1"],
    ],
    [
      [20, 55],
      ["20", "30", "40", "50"],
    ],
    [
      [2e3, 3e6],
      ["10⁴", "10⁵", "10⁶"],
    ],
  ] as [[number, number], string[]][])("label a logarithmic axis over %j", (domain, expected) => {
    const got = labels(domain);
    expect(got.filter((label) => expected.includes(label))).toEqual(expected);
    expect(got.length).toBeLessThanOrEqual(10);
  });

  it("never leave a logarithmic axis of up to 40 decades without at least two labels", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -20, max: 20, noNaN: true }),
        fc.double({ min: 0.7, max: 40, noNaN: true }),
        (from, decades) => {
          const got = labels([10 ** from, 10 ** (from + decades)]);
          expect(got.length).toBeGreaterThanOrEqual(2);
          expect(got.length).toBeLessThanOrEqual(12);
          expect(new Set(got).size).toBe(got.length);
        },
      ),
    );
  });

  it("label a linear axis without rounding noise", () => {
    expect(labels([0, 1.05], "linear")).toEqual(["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
  });
});

describe("labels", () => {
  const label = fc.record({
    wanted: fc.double({ min: 0, max: 700, noNaN: true }),
    width: fc.double({ min: 5, max: 40, noNaN: true }),
  });
  const wanted = fc.array(label, { maxLength: 80 }).map((all) => all.sort((a, b) => a.wanted - b.wanted));

  it("never overlap, stay in order, inside, and near their place", () => {
    fc.assert(
      fc.property(wanted, (labels) => {
        const placed = placedLabels(labels, [0, 700], 26);
        if (labels.length > 0) expect(placed.length).toBeGreaterThan(0);
        placed.forEach(({ index, centre }, at) => {
          const { wanted: place, width } = labels[index]!;
          expect(Math.abs(centre - place)).toBeLessThanOrEqual(26);
          expect(centre).toBeGreaterThanOrEqual(-1e-9);
          expect(centre).toBeLessThanOrEqual(700 + 1e-9);
          if (at === 0) return;
          const before = placed[at - 1]!;
          expect(centre - before.centre).toBeGreaterThanOrEqual((width + labels[before.index]!.width) / 2 - 1e-9);
        });
      }),
    );
  });

  const equal = (places: readonly number[]) => places.map((one) => ({ wanted: one, width: 20 }));

  it("the important ones take the room, wherever they stand", () => {
    const shown = (order?: number[]) =>
      placedLabels(equal([100, 102, 104, 106]), [0, 300], 11, order).map(({ index }) => index);
    expect(shown()).toEqual([0, 1]);
    expect(shown([3, 2, 1, 0])).toEqual([2, 3]);
    expect(shown([1, 3, 0, 2])).toEqual([1, 3]);
  });

  it("stay where they are when there is room, and part evenly when there is not", () => {
    expect(spreadLabels(equal([100, 200]), 0, 300)).toEqual([100, 200]);
    expect(spreadLabels(equal([100, 104]), 0, 300)).toEqual([92, 112]);
    expect(spreadLabels(equal([1, 2]), 0, 300)).toEqual([0, 20]);
    expect(spreadLabels(equal([1, 2, 3]), 0, 30)).toBeUndefined();
    expect(
      spreadLabels(
        [
          { wanted: 100, width: 10 },
          { wanted: 104, width: 30 },
        ],
        0,
        300,
      ),
    ).toEqual([92, 112]);
  });
});

describe("markup", () => {
  it("lets no text end a tag or an attribute", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(escaped(text)).not.toMatch(/[<>"']/);
        expect(attributes({ a: text })).toMatch(/^ a="[^"<>]*"$/);
      }),
    );
    expect(escaped('a\0b<c> & "d"\n')).toBe("ab&lt;c&gt; &amp; &quot;d&quot;\n");
    expect(attributes({ x: 1.26, y: undefined, z: "q" })).toBe(' x="1.3" z="q"');
  });
});
