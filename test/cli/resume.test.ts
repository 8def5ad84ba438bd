/** Runs that end early and go on: kill −9 at random moments, a signal, damaged folders, in processes of the built command. */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { appendFile, cp, mkdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { TestRandom } from "../support/random.ts";
import { dist, temporaryFolder } from "./support.ts";

/** Kills and steps of the long test; a full campaign sets EIGENSTEP_KILLS=20 EIGENSTEP_KILL_STEPS=9000. */
const KILLS = Number(process.env.EIGENSTEP_KILLS ?? 2);
const RUNTIME = process.env.EIGENSTEP_KILL_RUNTIME ?? "node";

let command = "";
beforeAll(async () => {
  await dist();
  command = resolve("bin", "eigenstep.mjs");
});

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

interface Started {
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
}

function start(args: readonly string[], cwd: string): Started {
  const child = spawn(process.execPath, [command, ...args], { cwd, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<Ended>((done) => {
    child.on("exit", (code, signal) => done({ code, signal, stderr }));
  });
  return { ended, kill: (signal) => child.kill(signal) };
}

const STEPS = process.env.EIGENSTEP_KILL_STEPS ?? "1000";
const RUN = ["linear-synthetic", "--steps", STEPS, "--set", "record.every=1", "--runtime", RUNTIME];

let unbroken: Promise<Buffer> | undefined;

/** metrics.jsonl of the run that nothing interrupts, made once. */
function unbrokenMetrics(): Promise<Buffer> {
  unbroken ??= (async () => {
    const folder = await temporaryFolderForAll();
    const { code, stderr } = await start(["train", ...RUN, "--quiet", "--out", "whole"], folder).ended;
    expect([code, stderr.replace(/^(error: XDG|Warning|\s).*\n/gm, "")]).toEqual([0, ""]);
    return metricsOf(join(folder, "whole"));
  })();
  return unbroken;
}

/** Bytes of metrics.jsonl, none while it does not exist. */
async function metricsOf(folder: string): Promise<Buffer> {
  return readFile(join(folder, "metrics.jsonl")).catch(() => Buffer.alloc(0));
}

async function until(condition: () => Promise<boolean>, ended: Promise<unknown>): Promise<void> {
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  while (!isOver && !(await condition())) await new Promise((wake) => setTimeout(wake, 20));
}

describe("a run that is cut off", () => {
  it(`killed with −9 at ${KILLS} random moments: every recorded line survives, and in the end the bytes are those of the unbroken run`, async () => {
    const cwd = await temporaryFolder();
    const whole = await unbrokenMetrics();
    const random = new TestRandom(Date.now() % 1e6);
    const folder = join(cwd, "broken");
    let kept = Buffer.alloc(0);
    let killed = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const args =
        kill === 0 ? [...RUN, "--quiet", "--out", "broken"] : ["--resume", "broken", "--runtime", RUNTIME, "--quiet"];
      const run = start(["train", ...args], cwd);
      // A random moment of the run: some time after new lines have begun to appear.
      const before = kept.length;
      await until(async () => (await metricsOf(folder)).length > before, run.ended);
      await new Promise((wake) => setTimeout(wake, 400 * random.uniform()));
      run.kill("SIGKILL");
      // A fast machine may have ended the run before; such a round proves nothing and is not counted.
      if ((await run.ended).signal === "SIGKILL") killed++;
      const metrics = await metricsOf(folder);
      const wholeLines = metrics.subarray(0, metrics.lastIndexOf("\n") + 1);
      expect(wholeLines.length).toBeGreaterThanOrEqual(kept.length);
      expect(whole.subarray(0, metrics.length).equals(metrics)).toBe(true);
      kept = Buffer.from(wholeLines);
    }
    console.log(`${killed} of ${KILLS} kills met a running process`);
    expect(killed).toBeGreaterThan(0);
    const last = await start(["train", "--resume", "broken", "--runtime", RUNTIME, "--json"], cwd).ended;
    // Unless the last kill came after the end.
    expect([last.code, last.stderr.includes("RUN-COMPLETE") ? 1 : 0]).toEqual(
      last.stderr.includes("RUN-COMPLETE") ? [1, 1] : [0, 0],
    );
    expect((await metricsOf(folder)).equals(whole)).toBe(true);
  }, 900_000);

  it.each(["SIGINT", "SIGTERM"] as const)(
    "%s: exit code 130, the remedy named, and the rest gives the unbroken run's bytes",
    async (signal) => {
      const cwd = await temporaryFolder();
      const run = start(["train", ...RUN, "--out", "r"], cwd);
      await until(async () => (await metricsOf(join(cwd, "r"))).length > 0, run.ended);
      run.kill(signal);
      const { code, stderr } = await run.ended;
      expect([code, stderr]).toEqual([
        130,
        expect.stringMatching(/error RUN-INTERRUPTED: .*\nfix: Go on with eigenstep train --resume .*\/r\./),
      ]);
      const summary = JSON.parse(await readFile(join(cwd, "r", "summary.json"), "utf8"));
      const lines = (await metricsOf(join(cwd, "r"))).toString().trim().split("\n");
      expect(lines).toHaveLength(summary.stopped.step);
      const resumed = await start(["train", "--resume", "r", "--runtime", RUNTIME, "--quiet"], cwd).ended;
      expect(resumed.code).toBe(0);
      expect((await metricsOf(join(cwd, "r"))).equals(await unbrokenMetrics())).toBe(true);
      expect(JSON.parse(await readFile(join(cwd, "r", "summary.json"), "utf8"))).toMatchObject({
        resumedFrom: summary.stopped.step,
        steps: Number(STEPS),
      });
    },
    120_000,
  );
});

describe("--resume refuses, and leaves the folder as it was,", () => {
  /** An interrupted run, made once. */
  let stopped = "";
  beforeAll(async () => {
    stopped = join(await temporaryFolderForAll(), "r");
    const run = start(
      ["train", "linear-synthetic", "--steps", "1500", "--runtime", "node", "--out", stopped],
      resolve("."),
    );
    await until(async () => (await metricsOf(stopped)).length > 0, run.ended);
    run.kill("SIGINT");
    await run.ended;
  }, 60_000);

  async function refused(change: (folder: string) => Promise<unknown>, ...more: string[]): Promise<string> {
    const folder = join(await temporaryFolder(), "r");
    await cp(stopped, folder, { recursive: true });
    await change(folder);
    const before = await metricsOf(folder);
    const { code, stderr } = await start(["train", "--resume", folder, "--runtime", "node", ...more], resolve("."))
      .ended;
    expect(code).not.toBe(0);
    expect((await metricsOf(folder)).equals(before)).toBe(true);
    return stderr;
  }

  it.each([
    ["a folder that is no run", (folder: string) => rm(join(folder, "config.json")), /error RUN-NOT-A-RUN/],
    [
      "a run of a newer version",
      (folder: string) => rewrite(join(folder, "config.json"), '"format": 1', '"format": 2'),
      /error RUN-NEWER/,
    ],
    [
      "a checkpoint that is cut off",
      (folder: string) => truncate(join(folder, "checkpoint.safetensors"), 300),
      /error DATA-/,
    ],
    [
      "a checkpoint that is none",
      (folder: string) => writeFile(join(folder, "checkpoint.safetensors"), "hello, this is not one"),
      /error DATA-SAFETENSORS/,
    ],
    [
      "the checkpoint of another configuration",
      (folder: string) => rewrite(join(folder, "config.json"), '"seed": 0', '"seed": 1'),
      /error RUN-CHECKPOINT-FOREIGN/,
    ],
    [
      "metrics with fewer lines than the checkpoint counts",
      (folder: string) => writeFile(join(folder, "metrics.jsonl"), ""),
      /error RUN-METRICS/,
    ],
    [
      "a damaged line in the middle",
      (folder: string) => prepend(join(folder, "metrics.jsonl"), "garbage\n"),
      /error RUN-METRICS.*Line 1/i,
    ],
  ] as const)("%s", async (_what, change, message) => {
    expect(await refused(change)).toMatch(message);
  });

  it("options that would make it another run", async () => {
    expect(await refused(async () => {}, "--steps", "10")).toMatch(/error CLI-USAGE: .*takes no --steps/);
  });

  it("a run that is complete", async () => {
    const complete = async (folder: string): Promise<void> => {
      const summary = JSON.parse(await readFile(join(folder, "summary.json"), "utf8"));
      delete summary.stopped;
      await writeFile(join(folder, "summary.json"), JSON.stringify(summary));
    };
    expect(await refused(complete)).toMatch(/error RUN-COMPLETE/);
  });

  it("but goes on when the last line is cut, which it drops", async () => {
    const folder = join(await temporaryFolder(), "r");
    await cp(stopped, folder, { recursive: true });
    await appendFile(join(folder, "metrics.jsonl"), '{"step":99999,"t":1,"lo');
    const { code } = await start(["train", "--resume", folder, "--runtime", "node", "--quiet"], resolve(".")).ended;
    expect(code).toBe(0);
    const lines = (await metricsOf(folder)).toString().trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).step).at(-1)).toBe(1500);
  }, 60_000);
});

const rewrite = async (path: string, from: string, to: string): Promise<void> => {
  const text = await readFile(path, "utf8");
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
  await writeFile(path, text.replace(from, to));
};
const prepend = async (path: string, text: string): Promise<void> =>
  writeFile(path, text + (await readFile(path, "utf8")));

async function temporaryFolderForAll(): Promise<string> {
  const folder = join((await import("node:os")).tmpdir(), `eigenstep-resume-${process.pid}`);
  await mkdir(folder, { recursive: true });
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
