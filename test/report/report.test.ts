/** The verb `report`: what the page and the SVG files hold, what is refused, and what a large run costs. */
import { chmod, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { command, dist, eigenstep, isAbsent, temporaryFolder } from "../cli/support.ts";
import { expectBalanced } from "./balanced.ts";
import { makeRun, metricsText, writeRun } from "./runFolders.ts";

const run = makeRun();

async function reportOf(changes: Parameters<typeof writeRun>[2] = {}, flags: readonly string[] = []) {
  const cwd = await temporaryFolder();
  await writeRun(join(cwd, "run"), run, changes);
  const ran = await command(["report", "run", ...flags], { cwd });
  const html = ran.code === 0 ? await readFile(join(cwd, "run", "report.html"), "utf8") : "";
  return { ...ran, html };
}

describe("the page of a run", () => {
  it("has both panels in every scaling, labelled, with measurement and theory drawn differently", async () => {
    const { html, stdout } = await reportOf();
    expect(stdout).toMatch(/run\/report\.html {2}\d/);
    expectBalanced(html);
    expect(html.match(/\(a\) Loss/g)).toHaveLength(2);
    expect(html.match(/\(b\) Eigenvalues of C/g)).toHaveLength(4);
    expect(html).toContain(">t = learning rate × step  (logarithmic)</text>");
    expect(html).toContain(">eigenvalue  (logarithmic)</text>");
    expect(html).toContain("loss  L = ‖C − I‖²");
    expect(html.match(/<title>measured, mode \d<\/title>/g)).toHaveLength(4 * 3);
    expect(html.match(/<title>theory at this learning rate, mode \d<\/title>/g)).toHaveLength(4 * 3);
    expect(html.match(/<title>theory, gradient flow, mode \d<\/title>/g)).toHaveLength(4 * 3);
    // Theory is dashed, measurement is not.
    for (const [path, name] of html.matchAll(/<path[^>]*><title>([^<]*)<\/title>/g))
      expect([name, path.includes("stroke-dasharray")]).toEqual([name, name!.startsWith("theory")]);
    // No coordinate is broken.
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("puts the rule of each mode at its predicted step time", async () => {
    const { html } = await reportOf({}, ["--time", "linear"]);
    const svg = html.slice(html.indexOf('class="view t-linear'));
    const layer = /<g class="descent"><g [^>]*>(.*?)<\/g>/.exec(svg)![1]!;
    const at = [...layer.matchAll(/d="M([\d.]+),82V342"/g)].map(([, x]) => Number(x));
    const { discreteStepTimes } = run.summary.theory as { discreteStepTimes: number[] };
    // Plot area from 74 to 844 for t from 0 to 12.
    expect(at).toHaveLength(3);
    discreteStepTimes.forEach((time, mode) => {
      expect(Math.abs(at[mode]! - (74 + (770 * time) / 12))).toBeLessThan(0.06);
    });
    expect(svg).toContain(">~2</text>");
  });

  it("has the table of step times, the configuration, adapter, counters and versions", async () => {
    const { html } = await reportOf();
    const { stepTimes, discreteStepTimes } = run.summary.theory as Record<string, number[]>;
    const rows = [...html.matchAll(/<tr>((?:<td[^>]*>[^<]*<\/td>){7})<\/tr>/g)].map(([, cells]) =>
      [...cells!.matchAll(/<td[^>]*>([^<]*)</g)].map(([, text]) => text),
    );
    expect(rows).toHaveLength(3);
    rows.forEach((cells, mode) => {
      const text = (value: number) => String(Number(value.toPrecision(5)));
      expect(cells.slice(0, 4)).toEqual([
        String(mode + 1),
        String(2 ** -mode),
        text(stepTimes![mode]!),
        text(discreteStepTimes![mode]!),
      ]);
      expect(cells[5]).toMatch(/^[+-]?0\.0\d %$/);
      expect(cells[6]).toBe(mode === 1 ? "~" : "");
    });
    expect(html).toContain("too narrow, at this initial weight, to promise the step time to 2 %");
    for (const [name, value] of [
      ["optimizer.learningRate", "0.02"],
      ["data.source", "synthetic-spectrum"],
      ["adapter", "acme test (software adapter: no GPU)"],
      ["dispatches per step", "10"],
      ["peak GPU memory", "3 MiB"],
      ["wall time", "1 min 05 s"],
      ["trained by", "eigenstep 0.1.0"],
    ])
      expect(html).toContain(`<tr><th scope="row">${name}</th><td>${value}</td></tr>`);
    expect(html).toContain("Made by eigenstep 1.2.3");
  });

  it("needs nothing else: no address, no import, no file", async () => {
    const { html } = await reportOf();
    const without = html.replaceAll('xmlns="http://www.w3.org/2000/svg"', "");
    expect(without).not.toMatch(/https?:|\/\/[a-z]+\.|@import|url\((?!#)|<link|<img|<iframe|\ssrc=|file:/);
  });

  it("works without scripts: switches are radio buttons, each with a label and a rule", async () => {
    const { html } = await reportOf();
    const ids = [...html.matchAll(/<input type="radio"[^>]* id="([\w-]+)"/g)].map(([, id]) => id!);
    expect(ids).toHaveLength(6);
    for (const id of ids) {
      expect(html).toContain(`<label for="${id}">`);
      expect(html).toContain(`#${id}:checked ~ main`);
    }
    const checked = [...html.matchAll(/id="([\w-]+)"[^>]* checked>/g)].map(([, id]) => id);
    expect(checked).toEqual(["time-log", "eigenvalues-linear", "theory-descent"]);
  });

  it("is the same when made again", async () => {
    expect((await reportOf()).html).toBe((await reportOf()).html);
  });

  it("shows what a configuration says as text", async () => {
    const config = { ...run.config, preset: '<script>alert("x")</script>' };
    const { html } = await reportOf({ config });
    expect(html).not.toContain("<script>alert");
    expect(html).toContain("&lt;script&gt;alert");
    expectBalanced(html);
  });
});

describe("SVG", () => {
  it("figure and panels lie beside the page, in the chosen scaling, with one theory and their own background", async () => {
    const { cwd, code } = await reportOf({}, ["--svg", "--eigenvalues", "log"]);
    expect(code).toBe(0);
    const names = (await readdir(join(cwd, "run"))).filter((name) => name.startsWith("report"));
    expect(names.sort()).toEqual(["report-eigenvalues.svg", "report-figure.svg", "report-loss.svg", "report.html"]);
    for (const name of names.filter((one) => one.endsWith(".svg"))) {
      const svg = await readFile(join(cwd, "run", name), "utf8");
      expectBalanced(svg);
      expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
      expect(svg).toContain('fill="#fff"');
      expect(svg).not.toContain("gradient flow");
      expect(svg.includes("eigenvalue  (logarithmic)")).toBe(!name.includes("loss"));
    }
  });
});

describe("several runs", () => {
  async function two(change: Parameters<typeof makeRun>[0], flags: readonly string[] = []) {
    const cwd = await temporaryFolder();
    await writeRun(join(cwd, "one"), run);
    await writeRun(join(cwd, "two"), makeRun(change));
    const ran = await command(["report", "one", "two", ...flags], { cwd });
    return { ...ran, html: ran.code === 0 ? await readFile(join(cwd, "report.html"), "utf8") : "" };
  }

  it("lie over one another, told apart by colour, marker and name, and are compared in a table", async () => {
    const { html } = await two({ learningRate: 0.01, steps: 700 });
    expectBalanced(html);
    for (const name of ["one", "two"]) expect(html).toContain(`<title>${name}, measured</title>`);
    expect(html).toContain('<td>optimizer.learningRate</td><td class="number">0.02</td><td class="number">0.01</td>');
    expect(html).toContain("<td>modes learned</td>");
    expect(html).not.toContain("<td>model.outputs</td>");
    // Gradient flow predicts the same for both, their learning rates do not: rules for the one only.
    expect(html.includes('<g class="flow"><g ')).toBe(true);
    expect(html.includes('<g class="descent"><g ')).toBe(false);
  });

  it("with the same predictions share the rules; the same run twice is one run", async () => {
    const { html } = await two({});
    expect(html).toContain(">~2</text>");
    const cwd = await temporaryFolder();
    await writeRun(join(cwd, "run"), run);
    await command(["report", "run", "./run/"], { cwd });
    expect(await readFile(join(cwd, "run", "report.html"), "utf8")).not.toContain("beside one another");
  });

  it("of different kinds are refused", async () => {
    const cwd = await temporaryFolder();
    await writeRun(join(cwd, "one"), run);
    await writeRun(join(cwd, "two"), run, { config: { ...run.config, kind: "tree" } });
    const { code, stderr } = await command(["report", "one", "two"], { cwd });
    expect([code, stderr]).toEqual([1, expect.stringContaining("error RUN-KINDS: The runs are of different kinds")]);
    expect(await readdir(cwd)).toEqual(["one", "two"]);
  });
});

describe("runs that are not whole", () => {
  it("an empty one is refused, and nothing is written", async () => {
    for (const metrics of ["", '{"step":0,"t"']) {
      const { code, stderr, cwd } = await reportOf({ metrics });
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error RUN-EMPTY: The run in .* has recorded nothing.*\nfix: /);
      expect((await readdir(join(cwd, "run"))).sort()).toEqual(["config.json", "metrics.jsonl", "summary.json"]);
    }
  });

  it("a cut line is named on the page and on stderr, the whole lines are drawn", async () => {
    const { html, stderr } = await reportOf({ metrics: metricsText(run.records).slice(0, -9) });
    const note = "metrics.jsonl ends in the middle of a line; the 600 whole lines are used, up to step 599.";
    expect(stderr).toContain(note);
    expect(html).toContain(note);
  });

  it("without a summary there is no theory, and the page says why", async () => {
    const { html, code } = await reportOf({ summary: null });
    expect(code).toBe(0);
    expect(html).toContain("There is no readable summary.json");
    expect(html).toContain("<title>measured, mode 1</title>");
    expect(html).not.toContain("theory at this learning rate, mode");
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("a diverged one is drawn as far as it goes, without flattening what came before", async () => {
    const records = run.records.map((record, index) =>
      index < 100 ? record : { ...record, loss: index < 102 ? 1e30 : Number.NaN, spectrum: [Number.NaN, 0, 0] },
    );
    const { html, stderr } = await reportOf({ metrics: metricsText(records) });
    expect(stderr).toContain("The run diverged: from step 102 on");
    expect(html).toMatch(/text-anchor="end"><text[^>]*>0/);
    expect(html).not.toMatch(/NaN|Infinity|undefined|1e\+?30/);
  });

  it.each([
    ["one record", metricsText(run.records.slice(0, 1))],
    ["two records", metricsText(run.records.slice(0, 2))],
    ["no finite number", '{"step":0,"t":0,"loss":null,"spectrum":[null,null]}\n'],
    ["no eigenvalue", '{"step":0,"t":0,"loss":1,"spectrum":[]}\n{"step":1,"t":0.1,"loss":0.5,"spectrum":[]}\n'],
    [
      "only negative eigenvalues",
      '{"step":0,"t":0,"loss":1,"spectrum":[-1]}\n{"step":1,"t":1,"loss":1,"spectrum":[-2]}\n',
    ],
  ])("%s", async (_, metrics) => {
    for (const summary of [null, undefined]) {
      const { html, code } = await reportOf({ metrics, summary });
      expect(code).toBe(0);
      expectBalanced(html);
      expect(html).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  it("of a kind without theory are drawn as measured", async () => {
    const { html, stderr } = await reportOf({ config: { ...run.config, kind: "tree" } });
    expect(stderr).toContain("There is no theory for runs of kind “tree”");
    expect(html).toContain("<title>measured, mode 1</title>");
  });
});

describe("where it is written", () => {
  it("--out names a file, or a folder; --json says what was made", async () => {
    const { cwd } = await reportOf();
    await mkdir(join(cwd, "there"));
    const inFolder = await command(["report", "run", "--out", "there", "--json"], { cwd });
    const document = JSON.parse(inFolder.stdout);
    const page = join(cwd, "there", "report.html");
    expect(document).toEqual({ out: page, svg: [], runs: [join(cwd, "run")], bytes: expect.any(Number), notes: [] });
    expect((await readFile(page)).length).toBe(document.bytes);
    const file = await command(["report", "run", "--out", "x.html", "--svg"], { cwd });
    expect(file.code).toBe(0);
    expect(isAbsent(join(cwd, "x-figure.svg"))).toBe(false);
  });

  it("a place that cannot be written is an error that names it, and leaves nothing", async () => {
    const { cwd } = await reportOf();
    const absent = await command(["report", "run", "--out", "no/such/x.html"], { cwd });
    expect([absent.code, absent.stderr]).toEqual([1, expect.stringContaining("error REPORT-WRITE: The report cannot")]);
    // Root may write everywhere; a file in the place of a folder stops root, too.
    const inFile = await command(["report", "run", "--out", "run/config.json/x.html"], { cwd });
    expect(inFile.stderr).toContain("REPORT-WRITE");
    if (process.getuid?.() !== 0) {
      await mkdir(join(cwd, "locked"));
      await chmod(join(cwd, "locked"), 0o500);
      const locked = await command(["report", "run", "--out", "locked/x.html"], { cwd });
      expect(locked.stderr).toContain("REPORT-WRITE");
    }
    expect((await readdir(cwd)).filter((name) => name !== "locked")).toEqual(["run"]);
  });

  it("never takes the place of a run's own files", async () => {
    const { cwd } = await reportOf();
    const { code, stderr } = await command(["report", "run", "--out", "run/config.json"], { cwd });
    expect([code, stderr]).toEqual([1, expect.stringContaining("REPORT-OUT")]);
    expect(JSON.parse(await readFile(join(cwd, "run", "config.json"), "utf8"))).toEqual(run.config);
  });

  it("a faulty command line is a usage error", async () => {
    expect((await command(["report"])).code).toBe(2);
    expect((await command(["report", "x", "--time", "cubic"])).code).toBe(2);
  });
});

describe("5,000 steps with 64 eigenvalues", () => {
  it("make a page under 3 MB in 2 s (three times that here: machines are shared)", async () => {
    const cwd = await temporaryFolder();
    const large = makeRun({ modes: 64, steps: 5000, learningRate: 0.01, decay: 1.06, noise: 1e-8 });
    await writeRun(join(cwd, "run"), large);
    const distPath = await dist();
    const started = performance.now();
    const { code, stderr } = await eigenstep(["report", "run"], { cwd, distPath });
    const elapsedMs = performance.now() - started;
    expect([code, stderr]).toEqual([0, ""]);
    const bytes = (await readFile(join(cwd, "run", "report.html"))).length;
    expect(bytes).toBeLessThan(3e6);
    expect(elapsedMs).toBeLessThan(6000);
  });
});
