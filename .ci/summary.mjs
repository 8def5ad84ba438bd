// Counts from vitest's JSON report. A file that could not be loaded, a failed suite hook or a crash counts as a failure, too.
import { readFileSync } from "node:fs";

const [path = "", status = "1"] = process.argv.slice(2);
let passed = 0;
let failed = 0;
let skipped = 0;
try {
  const report = JSON.parse(readFileSync(path, "utf8"));
  for (const file of report.testResults) {
    const counts = { passed: 0, failed: 0 };
    for (const test of file.assertionResults) {
      if (test.status === "passed") counts.passed++;
      else if (test.status === "failed") counts.failed++;
      else skipped++;
    }
    if (file.status === "failed" && counts.failed === 0) {
      counts.failed++;
      console.log(`failed outside its tests: ${file.name}${file.message ? `: ${file.message}` : ""}`);
    }
    passed += counts.passed;
    failed += counts.failed;
  }
} catch (error) {
  console.log(`no test report: ${error.message}`);
}
// Set-up failed, vitest crashed, or an error happened outside every test: the exit code is the only trace.
if (status !== "0" && failed === 0) failed = 1;
if (passed === 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 ? 1 : 0;
