/** Network runs in the verb `report`: panels that name their matrix, rules at the detected steps, sections, columns beside one another. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { networkPresets } from "../../src/experiments/presets.ts";
import { clockAt } from "../../src/report/network/clock.ts";
import { binEdges, countsOf } from "../../src/report/network/histogram.ts";
import { networkWords } from "../../src/report/network/networkWords.ts";
import { command, temporaryFolder } from "../cli/support.ts";
import { expectBalanced, expectUniqueIds } from "./balanced.ts";
import { type MadeNetworkRun, makeNetworkRun } from "./networkRuns.ts";
import { metricsText, writeRun } from "./runFolders.ts";

const run = makeNetworkRun();

interface Made {
  readonly html: string;
  readonly code: number;
  readonly stderr: string;
  readonly files: Readonly<Record<string, string>>;
}

/** Reports on runs in folders of the given names. */
async function reportOf(
  runs: Readonly<Record<string, MadeNetworkRun>>,
  flags: readonly string[] = [],
  changes: Parameters<typeof writeRun>[2] = {},
): Promise<Made> {
  const cwd = await temporaryFolder();
  for (const [name, made] of Object.entries(runs)) await writeRun(join(cwd, name), made, changes);
  const { code, stderr } = await command(["report", ...Object.keys(runs), "--out", "r.html", ...flags], { cwd });
  const names = (await readdir(cwd)).filter((name) => /\.(svg|html)$/.test(name));
  const entries = await Promise.all(
    names.map(async (name) => [name, await readFile(join(cwd, name), "utf8")] as const),
  );
  const files = Object.fromEntries(entries);
  const { "r.html": html = "" } = files;
  if (code === 0) {
    expectBalanced(html);
    expectUniqueIds(html);
    expect(html.replaceAll("NaN or infinity", "")).not.toMatch(/NaN|Infinity|undefined/);
  }
  return { html, code, stderr, files };
}

/** x and dashes of the vertical rules of the first panel in a piece of SVG; the plotting area goes from `top` to `bottom`. */
function rulesOf(svg: string, top: number, bottom: number): { x: number; dash: string | undefined }[] {
  const found = svg.matchAll(
    new RegExp(`<path d="M([\\d.]+),${top}V${bottom}"(?: stroke-dasharray="([^"]*)")?/>`, "g"),
  );
  return [...found].map(([, x, dash]) => ({ x: Number(x), dash }));
}

describe("the panels of a network run", () => {
  it("name the loss, the pairs and the matrix; there is no theory, no half-line, and t is linear at first", async () => {
    const { html } = await reportOf({ run });
    expect(html).toContain("(a) Loss<tspan");
    expect(html).toContain("> on the training pairs</tspan>");
    const matrix = "the cross-correlation matrix C of the centered embeddings, over the training pairs";
    expect(html.match(new RegExp(`> of ${matrix}</tspan>`, "g"))).toHaveLength(4);
    expect(html).toContain("loss of Barlow Twins</text>");
    expect(html).not.toContain("½");
    expect(html).not.toContain("theory at this learning rate");
    expect(html).toMatch(/id="time-linear"[^>]* checked>/);
    expect(html).toContain("A small residual net of width 4 with a linear head to 8 outputs");
    expect(html).toContain("64 CIFAR-10 images, 12 × 12 pixels, drawn once");
  });

  it("have a firm rule at each accepted step, on the clock of the records", async () => {
    const { html } = await reportOf({ run });
    const svg = html.slice(html.indexOf('class="view t-linear'));
    const rules = rulesOf(svg.slice(0, svg.indexOf("</svg>")), 82, 342);
    // Plotting area from 74 to 844 for t from 0 to 600 steps of the learning rate; a rule's time is step + 1.
    expect(rules).toHaveLength(5);
    run.times.forEach((time, mode) => {
      expect(Math.abs(rules[mode]!.x - (74 + (770 * (time - 1)) / 600))).toBeLessThan(0.15);
      expect(rules[mode]!.dash).toBeUndefined();
    });
    expect(svg).toContain("detected step</text>");
    expect(html).not.toContain("not accepted as a step</text>");
  });

  it("draw a mode that rises too close to the next one faintly, and the table says why", async () => {
    const close = makeNetworkRun({ centres: [80, 200, 206, 360, 450] });
    const { html } = await reportOf({ close });
    const svg = html.slice(html.indexOf('class="view t-linear'));
    expect(rulesOf(svg.slice(0, svg.indexOf("</svg>")), 82, 342).map(({ dash }) => dash)).toEqual([
      undefined,
      "1 4",
      undefined,
      undefined,
      undefined,
    ]);
    expect(svg).toContain(">(2)</text>");
    expect(html).toContain("<td>not accepted: the next mode follows too closely</td>");
    expect(html).toContain("4 of 5 learned modes accepted as steps; ");
  });

  it("start with a logarithmic clock where weights are trained on the pixels themselves", () => {
    for (const [name, config] of Object.entries(networkPresets)) {
      const { isLogTime } = networkWords(config as never)!;
      expect([name, isLogTime]).toEqual([name, /^(lin|mlp)-/.test(name)]);
    }
  });

  it("name the clock of a schedule and of momentum, and find a step on it", () => {
    const axis = (name: string) => networkWords(networkPresets[name] as never)!.timeAxis;
    expect(axis("tiny-barlow")).toBe("t = learning rate × step");
    expect(axis("resnet18-cifar-simclr")).toBe("t = sum of the steps’ learning rates / (1 − momentum)");
    const records = [0, 10, 20].map((step) => ({ step, t: step ** 2, loss: 0, spectrum: [] }));
    expect([0, 4, 10, 15, 20, 21].map((step) => clockAt(records, step))).toEqual([0, 40, 100, 250, 400, undefined]);
  });

  it("are in words for every preset", () => {
    for (const [name, config] of Object.entries(networkPresets)) {
      const words = networkWords(config as never);
      expect(`${name}: ${words?.trainedOn} ${words?.spectrumOf}`).not.toMatch(/undefined|NaN/);
    }
  });
});

describe("the sections of a network run", () => {
  it("list the steps with times, clock, thresholds and plateaus, and the peaks of the loss with the chance level", async () => {
    const { html } = await reportOf({ run });
    const rows = [...html.matchAll(/<tr>((?:<td[^>]*>[^<]*<\/td>){6})<\/tr>/g)].map(([, cells]) =>
      [...cells!.matchAll(/<td[^>]*>([^<]*)</g)].map(([, text]) => text!),
    );
    expect(rows).toHaveLength(5);
    rows.forEach((cells, mode) => {
      expect(Math.abs(Number(cells[1]) - run.times[mode]!)).toBeLessThan(0.1);
      expect(Number(cells[2])).toBeCloseTo(0.015 * (run.times[mode]! - 1), 2);
      expect([cells[3], cells[4], cells[5]]).toEqual(["0.2", "1", "accepted"]);
    });
    expect(html).toMatch(
      /5 of 5 learned modes accepted as steps; 5 of 5 peaks of the loss rate at a step \(\d\d % expected by chance\)/,
    );
    expect(html).toContain("How steps are detected");
  });

  it("show the last spectrum as a histogram with its split in two", async () => {
    const { html } = await reportOf({ run });
    const figure = /<figure data-panel="histogram">([\s\S]*?)<\/figure>/.exec(html)![1]!;
    const counts = [...figure.matchAll(/<rect[^>]*><title>(\d+)<\/title>/g)].map(([, count]) => Number(count));
    // Two eigenvalues near 1e-6, five plateaus at 1.
    expect(counts).toEqual([2, 5]);
    expect(figure).toContain('stroke-dasharray="6 4"');
    expect(html).toMatch(/The best split, 5 of 7 eigenvalues above and 2 below, explains \d\d/);
    const { effectiveRank } = run.summary.measured as { effectiveRank: number };
    expect(html).toContain(`<td>${Number(effectiveRank.toPrecision(4))}</td>`);
  });

  it("have a panel for each recorded layer, of its largest eigenvalues", async () => {
    const wide = Array.from({ length: 100 }, (_, index) => 1 / (index + 1));
    const extra = () => ({ "spectrum.encoder.layer1.0": wide, "spectrum.encoder.avgpool": [2, 1] });
    const { html } = await reportOf({ run: makeNetworkRun({ extra }) });
    const [first, second] = html.split('<figure data-layer="').slice(1);
    expect(first).toMatch(/^encoder\.layer1\.0"/);
    expect(first).toContain(">Eigenvalues of encoder.layer1.0</text>");
    expect(second).toMatch(/^encoder\.avgpool"/);
    const views = first!.split('<div class="view').slice(1);
    expect(views).toHaveLength(4);
    for (const view of views) expect(view.match(/<title>measured, mode \d+<\/title>/g)).toHaveLength(64);
    expect((await reportOf({ run })).html).not.toContain("Spectra of layers");
  });

  it("show principal components from a point to a space, at one scale", async () => {
    // One pair of views for each of four images; component c appears with mode c.
    const extra = (step: number) => ({
      pca: [1, 2, -1, -2, 1, 2, -1, -2].flatMap((size) =>
        [80, 160, 260].map((centre, axis) => (step > centre ? size / (axis + 1) : 0)),
      ),
    });
    const { html } = await reportOf({ run: makeNetworkRun({ extra }) });
    for (const title of [
      "at first: step 0",
      "one mode learned: step 112",
      "two modes learned: step 202",
      "at last: step 600",
    ])
      expect(html).toContain(`>${title}</text>`);
    const [course, planes] = [...html.matchAll(/<svg[^>]*aria-label="Recorded embeddings[\s\S]*?<\/svg>/g)].map(
      ([svg]) => svg,
    );
    const clouds = [...course!.matchAll(/<path d="((?:M[\d.]+,[\d.]+h0)+)"/g)].map(([, d]) =>
      [...d!.matchAll(/M([\d.]+),([\d.]+)h0/g)].map(([, x, y]) => [Number(x), Number(y)] as const),
    );
    expect(clouds.map(({ length }) => length)).toEqual(new Array(8).fill(4));
    const spread = (index: number) =>
      Math.max(
        ...[0, 1].map(
          (axis) => Math.max(...clouds[index]!.map((p) => p[axis]!)) - Math.min(...clouds[index]!.map((p) => p[axis]!)),
        ),
      );
    expect(spread(0)).toBe(0);
    expect(spread(2)).toBeGreaterThan(50);
    // Along components 1 and 2 the points lie on a line of slope 1/2.
    const flat = [.../<path d="((?:M[\d.]+,[\d.]+h0)+)"/.exec(planes!)![1]!.matchAll(/M([\d.]+),([\d.]+)h0/g)];
    const [[, x0, y0], [, x1, y1]] = flat.map((one) => one.map(Number)) as [number[], number[]];
    expect((y1! - y0!) / (x1! - x0!)).toBeCloseTo(-0.5, 1);
  });

  it("bins have round middles, and count every value once", () => {
    const edges = binEdges([-6.2, -0.01, 0.02], 8);
    expect(edges.slice(1).map((edge, index) => Number((edge - edges[index]!).toFixed(9)))).toEqual(
      new Array(edges.length - 1).fill(0.5),
    );
    expect(countsOf([-6.2, -0.01, 0.02], edges).filter(Boolean)).toEqual([1, 2]);
    expect(countsOf([1], binEdges([1], 1))).toEqual([1]);
  });
});

describe("network runs that are not whole", () => {
  it("a diverged one says where", async () => {
    const stopped = { reason: "diverged", step: 300, where: "the output of encoder.layer1.0" };
    const summary = { ...run.summary, stopped };
    const metrics = metricsText(
      run.records.slice(0, 301).map((record) => (record.step < 300 ? record : { ...record, loss: Number.NaN })),
    );
    const { html, stderr } = await reportOf({ run }, [], { summary, metrics });
    expect(stderr).toContain(
      "The run diverged: from step 300 on (t = 4.5) the loss is not finite; the first NaN or infinity was in the output of encoder.layer1.0.",
    );
    expect(html).toContain("<td>diverged at step 300, first in the output of encoder.layer1.0</td>");
    const unseen = await reportOf({ run }, [], { summary, metrics: metricsText(run.records.slice(0, 290)) });
    expect(unseen.stderr).toContain("The run diverged at step 300; the first NaN");
  });

  it.each([
    ["without a summary", null],
    [
      "with the summary of its beginning",
      { preset: "tiny-barlow", theory: {}, stopped: { reason: "unfinished", step: 0 } },
    ],
  ])("a killed one, %s, is measured by the report", async (_, summary) => {
    const { html, stderr } = await reportOf({ run }, [], { summary });
    expect(stderr).toContain("summary.json holds no measures; the report took them from the records.");
    expect(html).toContain("of the cross-correlation matrix C of the centered embeddings, over the training pairs");
    expect(html).toContain("5 of 5 learned modes accepted as steps");
  });

  it.each([
    ["one record", 1],
    ["two records", 2],
  ])("%s", async (_, count) => {
    expect(
      (await reportOf({ run }, [], { metrics: metricsText(run.records.slice(0, count)), summary: null })).code,
    ).toBe(0);
  });
});

describe("several network runs", () => {
  const barlow = makeNetworkRun();
  const vicreg = makeNetworkRun({ preset: "tiny-vicreg", centres: [40, 100, 300] });
  const simclr = makeNetworkRun({ preset: "fresh-simclr", centres: [200, 250, 320, 500] });

  it("of different losses get a column each, in the order given, with titles, matrices and steps of their own", async () => {
    const { html, files } = await reportOf({ barlow, vicreg, simclr }, ["--svg"]);
    expect(Object.keys(files).sort()).toEqual(["r-figure.svg", "r.html"]);
    const svg = files["r-figure.svg"]!;
    expectBalanced(svg);
    expectUniqueIds(svg);
    expect(svg).toMatch(/^<svg [^>]*width="1200"/);
    expect(svg).toContain('<rect width="1200"');
    const titles = [...svg.matchAll(/font-weight="bold">([^<]*)</g)].map(([, title]) => title);
    expect(titles).toEqual(["Barlow Twins", "VICReg", "SimCLR"]);
    const text = svg.replace(/<\/text><text[^>]*>/g, " ");
    expect(text).toContain(
      "Eigenvalues of the covariance of the l2-normalised embeddings of both views, over 256 probe pairs",
    );
    expect(text).toContain("Loss on 256 probe pairs");
    for (const count of ["barlow: 5 steps of 5 modes", "vicreg: 3 steps of 3 modes", "simclr: 4 steps of 4 modes"])
      expect(svg).toContain(`>${count}</text>`);
    const panels = svg.split("<svg ").slice(2);
    expect(panels).toHaveLength(6);
    const firstLoss = rulesOf(panels[0]!, 50, 240);
    expect(firstLoss).toHaveLength(5);
    barlow.times.forEach((time, mode) => {
      expect(Math.abs(firstLoss[mode]!.x - (58 + (326 * (time - 1)) / 600))).toBeLessThan(0.15);
    });
    expect(html.match(/font-weight="bold">VICReg</g)).toHaveLength(4);
    expect(html).toContain(
      '<td>steps accepted, of learned modes</td><td class="number">5 of 5</td><td class="number">3 of 3</td>',
    );
    expect(html.match(/How steps are detected/g)).toHaveLength(1);
  });

  it("of one loss lie over one another, unless columns are asked for; and the other way round", async () => {
    const other = makeNetworkRun({ seed: 1, centres: [90, 170, 250] });
    const overlaid = await reportOf({ barlow, other }, ["--svg"]);
    expect(Object.keys(overlaid.files)).toContain("r-eigenvalues.svg");
    expect(overlaid.html).toContain("<title>other, measured</title>");
    // Whose steps the rules would be could not be seen.
    expect(overlaid.html).not.toContain("detected step</text>");
    const columns = await reportOf({ barlow, other }, ["--columns"]);
    expect(columns.html.match(/font-weight="bold">Barlow Twins</g)).toHaveLength(8);
    const forced = await reportOf({ barlow, vicreg }, ["--no-columns"]);
    expect(forced.html).toContain("of the recorded matrices</tspan>");
  });

  it("wrap after three columns, four stand two by two", async () => {
    const size = async (count: number) => {
      const runs = Object.fromEntries(Array.from({ length: count }, (_, index) => [`run${index}`, barlow]));
      const { files } = await reportOf(runs, ["--columns", "--svg"]);
      const [, width, height] = /width="(\d+)" height="([\d.]+)"/.exec(files["r-figure.svg"]!)!;
      return [Number(width), Number(height)] as const;
    };
    const [[w1, h1], [w3, h3], [w4, h4], [w6, h6]] = [await size(1), await size(3), await size(4), await size(6)];
    expect([w1, w3, w4, w6]).toEqual([400, 1200, 800, 1200]);
    expect([h1, h4]).toEqual([h3, h6]);
    expect(h4).toBe(2 * h1 + 26);
  });
});
