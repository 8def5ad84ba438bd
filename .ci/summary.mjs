// Counts from vitest's JSON reports, given with the exit codes of the runs: REPORT STATUS [REPORT STATUS ...]. A file that could not be
// loaded, a failed suite hook or a crash counts as a failure, too.
import { readFileSync } from "node:fs";

const counts = { passed: 0, failed: 0, skipped: 0 };
const args = process.argv.slice(2);
for (let at = 0; at < args.length; at += 2) {
  const added = countsOf(args[at], args[at + 1]);
  for (const kind of Object.keys(counts)) counts[kind] += added[kind];
}
const { passed, failed, skipped } = counts;
// Tests that are all skipped have shown nothing.
const isBad = failed > 0 || passed === 0;
console.log(`${passed} passed, ${Math.max(failed, isBad ? 1 : 0)} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = isBad ? 1 : 0;

/** @returns {{ passed: number, failed: number, skipped: number }} */
function countsOf(path, status) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  try {
    for (const file of JSON.parse(readFileSync(path, "utf8")).testResults) {
      let failedHere = 0;
      for (const test of file.assertionResults) {
        if (test.status === "passed") total.passed++;
        else if (test.status === "failed") failedHere++;
        else total.skipped++;
      }
      if (file.status === "failed" && failedHere === 0) {
        failedHere++;
        console.log(`failed outside its tests: ${file.name}${file.message ? `: ${file.message}` : ""}`);
      }
      total.failed += failedHere;
    }
  } catch (error) {
    console.log(`no test report: ${error.message}`);
  }
  // Set-up failed, vitest crashed, or an error happened outside every test: the exit code is the only trace.
  const isEmpty = total.passed + total.failed + total.skipped === 0;
  if ((status !== "0" || isEmpty) && total.failed === 0) total.failed = 1;
  return total;
}
