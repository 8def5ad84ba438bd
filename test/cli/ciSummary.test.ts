/** The last line of `.ci/run`: real counts, and never green when something went wrong outside the tests. */
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root, temporaryFolder } from "./support.ts";

const file = (statuses: readonly string[], status = "passed") => ({
  name: "a.test.ts",
  status,
  assertionResults: statuses.map((each) => ({ status: each })),
});

async function summary(...runs: readonly (readonly [report: unknown, exitCode: number])[]) {
  const folder = await temporaryFolder();
  const args: string[] = [];
  for (const [index, [report, exitCode]] of runs.entries()) {
    const path = join(folder, `${index}.json`);
    if (report !== undefined) await writeFile(path, JSON.stringify(report));
    args.push(path, String(exitCode));
  }
  const { stdout, status } = spawnSync(process.execPath, [join(root, ".ci", "summary.mjs"), ...args], {
    encoding: "utf8",
  });
  return { line: stdout.trim().split("\n").at(-1), status };
}

describe(".ci/summary.mjs", () => {
  it.each([
    [[file(["passed", "passed"])], 0, "2 passed, 0 failed", 0],
    [[file(["passed", "pending"]), file(["todo"])], 0, "1 passed, 0 failed, 2 skipped", 0],
    [[file(["passed", "failed"], "failed")], 1, "1 passed, 1 failed", 1],
    [[file(["passed"]), file([], "failed")], 1, "1 passed, 1 failed", 1],
    [[file(["passed"])], 1, "1 passed, 1 failed", 1],
    [[], 0, "0 passed, 1 failed", 1],
  ])("%j with exit code %i gives %s", async (testResults, exitCode, line, status) => {
    expect(await summary([{ testResults }, exitCode])).toEqual({ line, status });
  });

  const good = [{ testResults: [file(["passed", "passed", "skipped"])] }, 0] as const;

  it("adds several runs up, of which one may be skipped as a whole", async () => {
    const skipped = [{ testResults: [file(["pending", "skipped"])] }, 0] as const;
    expect(await summary(good, good)).toEqual({ line: "4 passed, 0 failed, 2 skipped", status: 0 });
    expect(await summary(good, skipped)).toEqual({ line: "2 passed, 0 failed, 3 skipped", status: 0 });
    expect(await summary(skipped)).toEqual({ line: "0 passed, 1 failed, 2 skipped", status: 1 });
  });

  it("a run that was cut off is a failure, whatever the others did", async () => {
    expect(await summary(good, [undefined, 124])).toEqual({ line: "2 passed, 1 failed, 1 skipped", status: 1 });
    expect(await summary([{ testResults: [file(["failed"], "failed")] }, 1], good)).toEqual({
      line: "2 passed, 1 failed, 1 skipped",
      status: 1,
    });
  });

  it("a missing report is a failure", async () => {
    expect(await summary([undefined, 1])).toEqual({ line: "0 passed, 1 failed", status: 1 });
  });
});
