/** The command as a process: streams, exit codes and signals, on Dawn with the double of the experiment. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { distWithDouble, eigenstep, type Ran, temporaryFolder } from "./support.ts";

let distPath = "";
beforeAll(async () => {
  distPath = await distWithDouble();
});

/** Starts a slow run and sends a signal as soon as it has begun, the others each so many milliseconds after it. */
async function interrupt(preset: string, signal: NodeJS.Signals, againMs: readonly number[] = []): Promise<Ran> {
  let isSent = false;
  const args = ["train", preset, "--runtime", "node", "--out", "out", "--json"];
  return eigenstep(args, {
    cwd: await temporaryFolder(),
    distPath,
    onStderr(text, kill) {
      if (isSent || !text.includes("a double")) return;
      isSent = true;
      kill(signal);
      for (const ms of againMs) setTimeout(() => kill(signal), ms);
    },
  });
}

describe("a process", () => {
  it("keeps stdout for the document and stderr for people", async () => {
    const cwd = await temporaryFolder();
    const ran = await eigenstep(["train", "fake", "--runtime", "node", "--json"], { cwd, distPath });
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout).runtime).toBe("node");
    expect(ran.stderr).toContain("adapter: ");
    expect(ran.stderr).not.toContain("\u001b");
    expect(await readdir(join(cwd, "runs"))).toHaveLength(1);
  });

  it("reports errors in two lines and by its exit code", async () => {
    const options = { cwd: await temporaryFolder(), distPath };
    const unknown = await eigenstep(["train", "nope"], options);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/^error CONFIG-PRESET: .+\nfix: .+\n$/);
    expect((await eigenstep(["train", "fake", "--nope"], options)).code).toBe(2);
    const notBuilt = await eigenstep(["info"], { ...options, distPath: options.cwd });
    expect([notBuilt.code, notBuilt.stderr]).toEqual([1, expect.stringContaining("error CLI-NOT-BUILT")]);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("ends cleanly on %s with everything recorded", async (signal) => {
    const { code, stdout, stderr, cwd } = await interrupt("fake-slow", signal);
    expect(code).toBe(130);
    expect(stderr).toContain("error RUN-INTERRUPTED:");
    const { stopped, out } = JSON.parse(stdout);
    expect(stopped.reason).toBe("interrupted");
    expect(out).toBe(join(cwd, "out"));
    const lines = (await readFile(join(out, "metrics.jsonl"), "utf8")).trim().split("\n");
    expect(JSON.parse(lines.at(-1) ?? "").step).toBe(stopped.step);
    expect(await readdir(out)).toContain("summary.json");
  });

  it("takes two signals at once for one, as npm sends them", async () => {
    const { code, stdout } = await interrupt("fake-slow", "SIGINT", [1]);
    expect(code).toBe(130);
    expect(JSON.parse(stdout).stopped.reason).toBe("interrupted");
  });

  it("ends at once on a later second signal, with what was recorded kept", async () => {
    const { code, stdout, cwd } = await interrupt("fake-stubborn", "SIGINT", [400]);
    expect([code, stdout]).toEqual([130, ""]);
    expect((await readdir(join(cwd, "out"))).sort()).toEqual(["config.json", "metrics.jsonl", "summary.json"]);
    expect(await readFile(join(cwd, "out", "metrics.jsonl"), "utf8")).toMatch(/}\n$/);
  });
});
