/** The verb `staircases` around a double of training: which runs it makes, keeps and goes on with, and what it writes and prints. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Job, Runtime } from "../../src/cli/runtimes/runtime.ts";
import { encodeSafetensors } from "../../src/data/index.ts";
import type { RunConfig, RunResult } from "../../src/experiments/contract.ts";
import { networkPresets } from "../../src/experiments/presets.ts";
import { makeNetworkRun } from "../report/networkRuns.ts";
import { adapter, command, fakeRuntime, temporaryFolder } from "./support.ts";

/** Modes of each method, as step + 1 at which they have risen by half: 3, 5 and 4 of them. */
const CENTRES: Readonly<Record<string, readonly number[]>> = {
  barlow: [60, 160, 260],
  vicreg: [50, 100, 150, 200, 250],
  simclr: [120, 180, 183, 260],
};
const STEPS = 300;
const SMALLER = ["--set", `steps=${STEPS}`];

/** How a run ends: in its middle, or not at all. */
interface Ending {
  readonly stopped?: NonNullable<RunResult["stopped"]>;
  readonly error?: Error;
}

/** Runs by hand in the place of training; `jobs` says what was asked for. */
function double(endings: Readonly<Record<string, Ending>> = {}) {
  const jobs: Job[] = [];
  const train: Runtime["train"] = async (job, sink) => {
    jobs.push(job);
    const { config, resume } = job;
    const method = config.preset.split("-").at(-1) ?? "";
    const { records, summary } = makeNetworkRun({
      preset: config.preset,
      seed: config.seed,
      steps: config.steps,
      centres: CENTRES[method] ?? [],
    });
    const { stopped, error } = endings[`${config.preset} ${config.seed}`] ?? {};
    await sink.begin({ config, adapter, theory: {}, description: "by hand" });
    const first = resume?.records.length ?? 0;
    await sink.records(records.slice(first, stopped ? stopped.step : undefined));
    if (error) throw error;
    if (stopped) await sink.checkpoint(encodeSafetensors({ tensors: {}, metadata: { records: String(stopped.step) } }));
    return { ...summary, ...(stopped ? { stopped, steps: stopped.step } : {}) } as unknown as RunResult;
  };
  const changes = {
    presets: networkPresets as Readonly<Record<string, RunConfig>>,
    openRuntime: () => ({ ...fakeRuntime, train }),
  };
  return { jobs, changes };
}

const asked = (jobs: readonly Job[]) => jobs.map(({ config }) => `${config.preset} ${config.seed}`);
const MNIST = ["--set", "data.source=mnist"];

describe("eigenstep staircases", () => {
  it("trains the three methods for every seed, each in its folder, and writes figure and page", async () => {
    const { jobs, changes } = double();
    const ran = await command(["staircases", "small", "--seeds", "2", ...SMALLER, ...MNIST], changes);
    expect(ran.code).toBe(0);
    expect(asked(jobs)).toEqual(
      [0, 1].flatMap((seed) => ["barlow", "vicreg", "simclr"].map((one) => `small-${one} ${seed}`)),
    );
    const out = join(ran.cwd, "runs", "staircases-small");
    expect((await readdir(out)).sort()).toEqual([
      "small-barlow-seed0",
      "small-barlow-seed1",
      "small-simclr-seed0",
      "small-simclr-seed1",
      "small-vicreg-seed0",
      "small-vicreg-seed1",
      "staircases.html",
      "staircases.svg",
    ]);
    const svg = await readFile(join(out, "staircases.svg"), "utf8");
    const titles = [...svg.matchAll(/font-weight="bold">([^<]*)<\/text><?/g)].map(([, title]) => title);
    expect(titles).toEqual(["Barlow Twins", "VICReg", "SimCLR"]);
    expect(svg).toContain(">small-vicreg-seed0: 5 steps of 5 modes</text>");
    expect(svg).not.toContain("seed1");
    expect(await readFile(join(out, "staircases.html"), "utf8")).toContain(
      ">small-simclr-seed1: 3 steps of 4 modes</text>",
    );
    const [head, first, , third] = ran.stdout.split("\n");
    expect(head).toMatch(/^preset +seed +steps\/modes +loss peaks +by chance +rises at step \+ 1$/);
    // A fifth of the plateau is crossed ln 4 / 0.2 before the middle of the rise.
    expect(first).toMatch(/^small-barlow +0 +3\/3 +3 of 3 +\d+ % +53 153 253$/);
    expect(third).toMatch(/^small-simclr +0 +3\/4 +\d of \d +\d+ % +113 \(173\) 176 253$/);
    expect(ran.stdout).toContain(`figure: ${join(out, "staircases.svg")}`);
    expect(ran.stderr).toContain("small-simclr, seed 1 (6 of 6)\n");
  });

  it("--json prints one document, and passes --set on to every run", async () => {
    const { jobs, changes } = double();
    const set = ["--set", "model.projector.weightScale=1", "--set", "model.projector.biasScale=0"];
    const ran = await command(["staircases", "--json", "--out", "o", ...SMALLER, ...MNIST, ...set], changes);
    const document = JSON.parse(ran.stdout);
    expect(document).toMatchObject({
      size: "tiny",
      out: join(ran.cwd, "o"),
      svg: join(ran.cwd, "o", "staircases.svg"),
    });
    expect(document.runs).toHaveLength(3);
    expect(document.runs[2]).toMatchObject({
      preset: "tiny-simclr",
      seed: 0,
      out: join(ran.cwd, "o", "tiny-simclr-seed0"),
      steps: STEPS,
      wallMs: 1000,
      accepted: 3,
      learned: 4,
      isAccepted: [true, false, true, true],
    });
    expect(document.runs[2].stepTimes[1]).toBeCloseTo(183 - 3 - Math.log(4) / 0.2, 1);
    expect(document.runs[0].lossPeaks).toEqual({ matched: 3, count: 3, chance: expect.any(Number) });
    for (const { config } of jobs) {
      expect(config).toMatchObject({ steps: STEPS, model: { projector: { weightScale: 1, biasScale: 0 } } });
    }
  });

  it("keeps complete runs, goes on with an interrupted one from its checkpoint, and starts missing ones", async () => {
    const cwd = await temporaryFolder();
    const args = ["staircases", "--out", "o", ...SMALLER, ...MNIST];
    const stopped = { reason: "interrupted", step: 120 } as const;
    const first = double({ "tiny-vicreg 0": { stopped } });
    const broken = await command(args, { ...first.changes, cwd });
    expect(broken.code).toBe(130);
    expect(asked(first.jobs)).toEqual(["tiny-barlow 0", "tiny-vicreg 0"]);
    expect(broken.stdout).toBe("");
    expect(broken.stderr).toContain("fix: Give the same command again to go on.");
    const kept = await readFile(join(cwd, "o", "tiny-barlow-seed0", "metrics.jsonl"));

    const second = double();
    const ran = await command(args, { ...second.changes, cwd });
    expect([ran.code, asked(second.jobs)]).toEqual([0, ["tiny-vicreg 0", "tiny-simclr 0"]]);
    expect(second.jobs.map(({ resume }) => resume?.records.length)).toEqual([120, undefined]);
    expect(ran.stderr).toContain("tiny-barlow, seed 0 (1 of 3): complete, kept as it is\n");
    expect(await readFile(join(cwd, "o", "tiny-barlow-seed0", "metrics.jsonl"))).toEqual(kept);
    const lines = (await readFile(join(cwd, "o", "tiny-vicreg-seed0", "metrics.jsonl"), "utf8")).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).step)).toEqual(Array.from({ length: STEPS + 1 }, (_, step) => step));

    // A run of before `spectrum.over` existed is the same run.
    const old = join(cwd, "o", "tiny-barlow-seed0", "config.json");
    const { spectrum, ...config } = JSON.parse(await readFile(old, "utf8"));
    const { over, ...before } = spectrum;
    expect(over).toBe("probe");
    await writeFile(old, JSON.stringify({ ...config, spectrum: before }));
    const third = double();
    const again = await command([...args, "--seeds", "2"], { ...third.changes, cwd });
    expect([again.code, asked(third.jobs)]).toEqual([0, ["tiny-barlow 1", "tiny-vicreg 1", "tiny-simclr 1"]]);
  });

  it("draws a diverged run with the others, leaves it at that, and exits with 3", async () => {
    const cwd = await temporaryFolder();
    const args = ["staircases", "--out", "o", ...SMALLER, ...MNIST];
    const stopped = { reason: "diverged", step: 200, where: "the loss" } as const;
    const first = double({ "tiny-barlow 0": { stopped } });
    const ran = await command(args, { ...first.changes, cwd });
    expect([ran.code, first.jobs.length]).toEqual([3, 3]);
    expect(ran.stderr).toContain("error RUN-DIVERGED: NaN or infinity appeared at step 200 (first in the loss)");
    expect(ran.stdout).toMatch(/tiny-barlow .*diverged at step 200/);
    const second = double();
    const again = await command(args, { ...second.changes, cwd });
    expect([again.code, second.jobs.length, again.stdout]).toEqual([3, 0, ran.stdout]);
  });

  it("stops at a failure with its exit code, and says which run it was in", async () => {
    const { jobs, changes } = double({ "tiny-vicreg 0": { error: new Error("failed on purpose") } });
    const ran = await command(["staircases", ...SMALLER, ...MNIST], changes);
    expect([ran.code, jobs.length, ran.stdout]).toEqual([1, 2, ""]);
    expect(ran.stderr).toMatch(/failed on purpose[\s\S]*kept in .*tiny-vicreg-seed0/);
  });

  it("refuses a folder that holds another run, naming what differs, and changes nothing", async () => {
    const cwd = await temporaryFolder();
    const first = double();
    await command(["staircases", "--out", "o", ...SMALLER, ...MNIST], { ...first.changes, cwd });
    const second = double();
    const args = ["staircases", "--out", "o", ...SMALLER, ...MNIST, "--set", "optimizer.learningRate=0.001"];
    const { code, stderr } = await command(args, { ...second.changes, cwd });
    expect([code, second.jobs.length]).toEqual([1, 0]);
    expect(stderr).toMatch(
      /error RUN-OTHER-CONFIG: .*tiny-barlow-seed0 holds a run with another optimizer\.learningRate\n/,
    );
    // One of an earlier version, whose configuration lacks a key.
    const path = join(cwd, "o", "tiny-barlow-seed0", "config.json");
    const { record: _, ...older } = JSON.parse(await readFile(path, "utf8"));
    await writeFile(path, JSON.stringify(older));
    const old = await command(["staircases", "--out", "o", ...SMALLER, ...MNIST], { ...second.changes, cwd });
    expect([old.code, old.stderr]).toEqual([1, expect.stringContaining("holds a run with another record.every")]);
    await rm(join(cwd, "o", "tiny-barlow-seed0"), { recursive: true });
    await mkdir(join(cwd, "o", "tiny-barlow-seed0"));
    await writeFile(join(cwd, "o", "tiny-barlow-seed0", "mine.txt"), "mine");
    const foreign = await command(["staircases", "--out", "o", ...SMALLER, ...MNIST], { ...second.changes, cwd });
    expect(foreign.stderr).toContain("error RUN-NOT-A-RUN");
    expect(await readdir(join(cwd, "o", "tiny-barlow-seed0"))).toEqual(["mine.txt"]);
  });

  it.each([
    [["huge"], 2, "tiny, small, fresh, control"],
    [["--seeds", "0"], 2, "whole number, 1 or more"],
    [["--set", "optimizer.learningRat=1"], 1, "CONFIG-SET-KEY"],
    [[], 1, "CONFIG-DATA"],
    [["--data", "nowhere"], 1, "DATA-FOLDER"],
  ] as const)("%j exits with %i, says %s, and leaves nothing", async (args, code, part) => {
    const { changes } = double();
    const ran = await command(["staircases", ...args], changes);
    expect([ran.code, ran.stdout]).toEqual([code, ""]);
    expect(ran.stderr).toContain(part);
    expect(await readdir(ran.cwd)).toEqual([]);
  });
});
