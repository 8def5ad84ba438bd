/**
 * The staircases of the presets `tiny-*` on real images, by the command itself in headless Chrome: at least five accepted steps each, within a
 * minute each on two cores without a GPU; and their controls, with a head at its default initial scale: at most one step.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { StaircasesDocument } from "../../src/cli/commands/staircases.ts";
import { dist, temporaryFolder } from "../cli/support.ts";

const DATA = resolve(process.env.EIGENSTEP_SAMPLES ?? join("..", "shared", "data"), "cifar-10-batches-bin");
const MINUTE_MS = 60_000;

async function staircases(size: "tiny" | "control"): Promise<StaircasesDocument> {
  const args = [resolve("bin", "eigenstep.mjs"), "staircases", size, "--data", DATA, "--json", "--quiet"];
  const child = spawn(process.execPath, args, { cwd: await temporaryFolder(), stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  const code = await new Promise((done) => child.on("close", done));
  expect(code).toBe(0);
  return JSON.parse(stdout) as StaircasesDocument;
}

function print({ runs }: StaircasesDocument): void {
  for (const { preset, accepted, learned, wallMs } of runs) {
    console.log(`${preset}: ${accepted} of ${learned} learned modes accepted, ${((wallMs ?? 0) / 1000).toFixed(0)} s`);
  }
}

describe.runIf(existsSync(DATA))("staircases on real images", () => {
  beforeAll(async () => {
    await dist();
  });

  it("tiny-*: at least five accepted steps, each run within a minute", async () => {
    const document = await staircases("tiny");
    print(document);
    expect(document.runs.map(({ preset }) => preset)).toEqual(["tiny-barlow", "tiny-vicreg", "tiny-simclr"]);
    for (const { preset, accepted, wallMs } of document.runs) {
      expect(accepted, preset).toBeGreaterThanOrEqual(5);
      expect(wallMs, preset).toBeLessThanOrEqual(MINUTE_MS);
    }
  });

  it("control-*: at most one accepted step", async () => {
    const document = await staircases("control");
    print(document);
    for (const { preset, accepted } of document.runs) expect(accepted, preset).toBeLessThanOrEqual(1);
  });
});
