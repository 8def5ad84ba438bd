/** The verb `train` around a double of the experiment: run folder, documents, exit codes, and nothing half-written on errors. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { metricsLine } from "../../src/experiments/metricsLine.ts";
import { presets as realPresets } from "../../src/experiments/presets.ts";
import { presets } from "./fakeExperiment.ts";
import { command, fakeRuntime, isAbsent, temporaryFolder } from "./support.ts";

describe("a run that ends well", () => {
  it("leaves config.json, metrics.jsonl, summary.json and what --save asked for", async () => {
    const { code, cwd } = await command(["train", "fake", "--out", "out", "--steps", "30", "--save", "views,weights"]);
    expect(code).toBe(0);
    const folder = join(cwd, "out");
    expect((await readdir(folder)).sort()).toEqual([
      "config.json",
      "metrics.jsonl",
      "summary.json",
      "views.npy",
      "weights.npy",
    ]);
    expect(JSON.parse(await readFile(join(folder, "config.json"), "utf8"))).toEqual({ ...presets.fake, steps: 30 });
    const lines = (await readFile(join(folder, "metrics.jsonl"), "utf8")).split("\n");
    expect(lines).toHaveLength(32);
    expect(lines.at(-1)).toBe("");
    expect(JSON.parse(lines[30]!)).toMatchObject({ step: 30, t: 1.5 });
    expect([...(await readFile(join(folder, "views.npy")))]).toEqual([1, 2, 3]);
  });

  it("prints with --json exactly one document on stdout: summary.json", async () => {
    const { code, stdout, stderr, cwd } = await command(["train", "fake", "--out", "out", "--json"]);
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ preset: "fake", runtime: "node", version: "1.2.3", out: join(cwd, "out") });
    expect(JSON.parse(await readFile(join(cwd, "out", "summary.json"), "utf8"))).toEqual(document);
    expect(stderr).toContain("adapter: acme test");
  });

  it("prints a table and a plot within 80 columns", async () => {
    const { stdout } = await command(["train", "fake"]);
    expect(stdout).toMatch(/mode +eigenvalue of Γ +gradient flow +discrete +measured +error/);
    expect(stdout).toContain("+0.10 %");
    expect(stdout).toContain("╰");
    for (const line of stdout.split("\n").filter((text) => !text.startsWith("run folder"))) {
      expect(line.length).toBeLessThanOrEqual(80);
    }
  });

  it("takes a new folder below runs/ each time, even within one second", async () => {
    const cwd = await temporaryFolder();
    await command(["train", "fake"], { cwd });
    await command(["train", "fake"], { cwd });
    expect((await readdir(join(cwd, "runs"))).sort()).toEqual(["fake-20250102-030405", "fake-20250102-030405-2"]);
  });

  it("uses an existing empty folder, and repeats a run from its config.json byte for byte", async () => {
    const cwd = await temporaryFolder();
    await mkdir(join(cwd, "a"));
    expect((await command(["train", "fake", "--out", "a", "--seed", "3"], { cwd })).code).toBe(0);
    expect((await command(["train", "a/config.json", "--out", "b"], { cwd })).code).toBe(0);
    for (const name of ["config.json", "metrics.jsonl"]) {
      expect(await readFile(join(cwd, "b", name), "utf8")).toBe(await readFile(join(cwd, "a", name), "utf8"));
    }
  });
});

describe("--save", () => {
  it("of what a kind of run does not have names what it has, and leaves nothing", async () => {
    const { hltm, "operator-training": training } = realPresets;
    const wanted = [
      [["train", "hltm", "--save", "weights"], "Runs of hltm have no weights to save", "Leave out --save."],
      [
        ["train", "operator-training", "--save", "spectrum,views"],
        "Runs of operator-training have no views to save",
        "They have weights, spectrum.",
      ],
    ] as const;
    for (const [args, message, fix] of wanted) {
      const ran = await command(args, { presets: { hltm: hltm!, "operator-training": training! } });
      expect([ran.code, ran.stderr]).toEqual([2, `error CLI-USAGE: ${message}\nfix: ${fix}\n`]);
      expect(await readdir(ran.cwd)).toEqual([]);
    }
  });
});

describe("a run that is stopped", () => {
  it("keeps everything up to a loss that is NaN, and exits with 3", async () => {
    const { code, stdout, stderr, cwd } = await command(["train", "fake-diverging", "--out", "out", "--json"]);
    expect(code).toBe(3);
    expect(JSON.parse(stdout).stopped).toEqual({ reason: "diverged", step: 7 });
    expect(stderr).toContain("error RUN-DIVERGED: NaN or infinity appeared at step 7;");
    expect(stderr).toContain("fix: Lower the learning rate, for example with --set optimizer.learningRate=0.0125.");
    expect((await readFile(join(cwd, "out", "metrics.jsonl"), "utf8")).trim().split("\n")).toHaveLength(8);
  });

  it("by a signal keeps what was recorded, writes the summary, and exits with 130", async () => {
    const { code, stderr, cwd } = await command(["train", "fake", "--out", "out"], { signal: AbortSignal.abort() });
    expect(code).toBe(130);
    expect(stderr).toContain("error RUN-INTERRUPTED: The run was stopped at step 1;");
    const summary = JSON.parse(await readFile(join(cwd, "out", "summary.json"), "utf8"));
    expect(summary.stopped).toEqual({ reason: "interrupted", step: 1 });
  });

  it("before its first step leaves nothing and exits with 130", async () => {
    const aborted = {
      ...fakeRuntime,
      train: async () => {
        throw new DOMException("aborted", "AbortError");
      },
    };
    const { code, stderr, cwd } = await command(["train", "fake", "--out", "out"], {
      signal: AbortSignal.abort(),
      openRuntime: () => aborted,
    });
    expect(code).toBe(130);
    expect(stderr).toContain("before its first step");
    expect(isAbsent(join(cwd, "out"))).toBe(true);
  });

  it("by a failure on the way keeps what was recorded and exits with 1", async () => {
    const { code, stderr, stdout, cwd } = await command(["train", "fake-failing-late", "--out", "out", "--json"]);
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain(`what was recorded until then is kept in ${join(cwd, "out")}`);
    expect((await readdir(join(cwd, "out"))).sort()).toEqual(["config.json", "metrics.jsonl", "summary.json"]);
    const summary = JSON.parse(await readFile(join(cwd, "out", "summary.json"), "utf8"));
    expect(summary.stopped).toEqual({ reason: "unfinished", step: 0 });
    expect((await readFile(join(cwd, "out", "metrics.jsonl"), "utf8")).trim().split("\n")).toHaveLength(21);
  });
});

describe("bad input", () => {
  it.each([
    [["train", "nope"], 1, "CONFIG-PRESET"],
    [["train", "fake", "--set", "data.modez=1"], 1, "CONFIG-SET-KEY"],
    [["train", "fake-cifar"], 1, "CONFIG-DATA"],
    [["train", "fake", "--data", "."], 1, "CONFIG-DATA"],
    [["train", "fake-mnist", "--data", "nowhere"], 1, "DATA-FOLDER"],
    [["train", "fake-throwing"], 1, "CLI-DEFECT"],
    [["train", "fake", "--set", "x"], 2, "CLI-USAGE-SET"],
    [["train"], 2, "CLI-USAGE"],
    [["train", "fake", "more"], 2, "CLI-USAGE"],
    [["train", "fake", "--stpes", "3"], 2, "Did you mean --steps?"],
    [["train", "fake", "--steps", "0"], 2, "whole number, 1 or more"],
    [["train", "fake", "--steps", "1e3"], 2, "whole number"],
    [["train", "fake", "--seed", "-1"], 2, "whole number"],
    [["train", "fake", "--save", "views,wieghts"], 2, "views, weights, embeddings, spectrum"],
    [["train", "fake", "--runtime", "safari"], 2, "chrome, firefox, node"],
    [["tarin"], 2, "Did you mean train?"],
    [[], 2, "there are train"],
  ] as const)("%j exits with %i, says %s, and leaves nothing", async (args, code, part) => {
    const ran = await command([...args, ...(args.length > 1 ? ["--json"] : [])]);
    expect(ran.code).toBe(code);
    expect(ran.stdout).toBe("");
    expect(ran.stderr).toMatch(/(^|\n)error [A-Z][A-Z-]+: .+\nfix: .+\n$/);
    expect(ran.stderr).toContain(part);
    expect(await readdir(ran.cwd)).toEqual([]);
  });

  it("an output folder with something in it is left as it is", async () => {
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, "mine.txt"), "mine");
    const { code, stderr } = await command(["train", "fake", "--out", "."], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain("error RUN-OUT-NOT-EMPTY:");
    expect(await readdir(cwd)).toEqual(["mine.txt"]);
  });

  it.each(["/proc/eigenstep/out", "/dev/null", "/dev/null/out"])(
    "the output folder %s cannot be written",
    async (out) => {
      if (process.platform !== "linux") return;
      const { code, stderr } = await command(["train", "fake", "--out", out]);
      expect(code).toBe(1);
      expect(stderr).toContain("error RUN-OUT-UNWRITABLE:");
    },
  );
});

describe("help", () => {
  it.each([["--help"], ["train", "--help"], ["plan", "-h"], ["info", "--help"], ["--version"]])(
    "%s goes to stdout, exit code 0",
    async (...args) => {
      const { code, stdout, stderr } = await command(args);
      expect(code).toBe(0);
      expect(stdout.length).toBeGreaterThan(4);
      expect(stderr).toBe("");
    },
  );
});

describe("plan and info", () => {
  it("plan prints totals, or one document", async () => {
    expect((await command(["plan", "fake"])).stdout).toContain("dispatches per step");
    expect(JSON.parse((await command(["plan", "fake", "--json"])).stdout)).toMatchObject({
      dispatches: 1,
      peakBytes: 8192,
    });
  });

  it("info reports every runtime, and fails when a check fails or nothing works", async () => {
    const good = await command(["info", "--json"]);
    expect(good.code).toBe(0);
    expect(Object.keys(JSON.parse(good.stdout).runtimes)).toEqual(["chrome", "firefox", "node"]);
    const wrong = {
      ...fakeRuntime,
      info: async () => ({
        ...(await fakeRuntime.info(new AbortController().signal)),
        selfCheck: { ok: false, message: "3 of 9" },
      }),
    };
    const bad = await command(["info"], { openRuntime: ({ name }) => (name === "node" ? wrong : fakeRuntime) });
    expect(bad.code).toBe(1);
    expect(bad.stdout).toContain("FAILED: 3 of 9");
  });
});

describe("metricsLine", () => {
  it("writes what is not finite as null, and floats so that they read back as the same f32", () => {
    const third = Math.fround(1 / 3);
    const line = metricsLine({
      step: 1,
      t: 0.1 + 0.2,
      loss: Number.NaN,
      spectrum: [third, Number.POSITIVE_INFINITY, 0],
    });
    expect(line).toBe('{"step":1,"t":0.3,"loss":null,"spectrum":[0.333333343,null,0]}');
    expect(Math.fround(JSON.parse(line).spectrum[0])).toBe(third);
  });
});
