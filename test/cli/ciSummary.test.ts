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

async function summary(report: unknown, exitCode: number) {
  const path = join(await temporaryFolder(), "report.json");
  if (report !== undefined) await writeFile(path, JSON.stringify(report));
  const { stdout, status } = spawnSync(process.execPath, [join(root, ".ci", "summary.mjs"), path, String(exitCode)], {
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
    expect(await summary({ testResults }, exitCode)).toEqual({ line, status });
  });

  it("a missing report is a failure", async () => {
    expect(await summary(undefined, 1)).toEqual({ line: "0 passed, 1 failed", status: 1 });
  });
});
