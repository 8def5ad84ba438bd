/**
 * What every runtime in a browser promises, whichever browser it is: a run is interrupted cleanly, nothing stays behind, and every way in
 * which a page can fail is an error.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { distWithDouble, eigenstep, isAbsent, type ProcessOptions, type Ran, temporaryFolder } from "../cli/support.ts";

/** Runs with a folder for temporary files of its own, and fails when the browser's profile is left in it. */
export async function runSweptUp(
  args: readonly string[],
  options: Partial<ProcessOptions> & Pick<ProcessOptions, "distPath">,
): Promise<Ran> {
  const cwd = await temporaryFolder();
  const temporary = await temporaryFolder();
  const ran = await eigenstep(args, { cwd, env: { TMPDIR: temporary }, ...options });
  expect(await readdir(options.env?.TMPDIR ?? temporary)).toEqual([]);
  return ran;
}

export interface BrowserUnderTest {
  readonly runtime: "chrome" | "firefox";
  /** Whether a process is the browser's first, with its profile below a folder. */
  readonly isMainProcess: (commandLine: string, profileParent: string) => boolean;
}

/** Defines the tests. */
export function testBrowserRuntime({ runtime, isMainProcess }: BrowserUnderTest): void {
  let double = "";
  beforeAll(async () => {
    double = await distWithDouble();
  });
  const run = (args: readonly string[], options: Partial<ProcessOptions> = {}) =>
    runSweptUp([...args, "--runtime", runtime], { distPath: double, ...options });

  /** The browser whose profile lies in a folder, found by its command line (Linux). */
  function browserProcesses(profileParent: string): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        const path = `/proc/${pid}/cmdline`;
        const line = existsSync(path) ? readFileSync(path, "utf8").replaceAll("\0", " ") : "";
        return isMainProcess(line, profileParent);
      })
      .map(Number);
  }

  describe("a run in a page", () => {
    it("is interrupted cleanly", async () => {
      let isSent = false;
      const { code, stdout } = await run(["train", "fake-slow", "--out", "out", "--json"], {
        onStderr(text, kill) {
          if (isSent || !text.includes("a double")) return;
          isSent = true;
          kill("SIGINT");
        },
      });
      expect(code).toBe(130);
      expect(JSON.parse(stdout).stopped.reason).toBe("interrupted");
    });

    it("leaves no browser and no profile behind when it is interrupted twice, or before it began", async () => {
      let sent = 0;
      const twice = await run(["train", "fake-stubborn", "--out", "out"], {
        onStderr(text, kill) {
          if (sent === 0 && text.includes("a double")) {
            sent = 1;
            kill("SIGINT");
            setTimeout(() => kill("SIGINT"), 400);
          }
        },
      });
      expect(twice.code).toBe(130);
      let isSent = false;
      const early = await run(["train", "fake-slow", "--out", "out"], {
        onStderr(text, kill) {
          if (isSent || !text.includes("starting the browser")) return;
          isSent = true;
          kill("SIGTERM");
        },
      });
      expect([early.code, early.stderr]).toEqual([130, expect.stringContaining("before its first step")]);
      expect(isAbsent(join(early.cwd, "out"))).toBe(true);
    });
  });

  it.runIf(process.platform === "linux")("leaves no browser and no profile behind when it is killed", async () => {
    const temporary = await temporaryFolder();
    let running: number[] = [];
    await eigenstep(["train", "fake-slow", "--out", "out", "--runtime", runtime], {
      cwd: await temporaryFolder(),
      distPath: double,
      env: { TMPDIR: temporary },
      onStderr(text, kill) {
        if (running.length > 0 || !text.includes("a double")) return;
        running = browserProcesses(temporary);
        kill("SIGKILL");
      },
    });
    expect(running).toHaveLength(1);
    await vi.waitFor(async () => expect(await readdir(temporary)).toEqual([]), { timeout: 10_000, interval: 100 });
    expect(browserProcesses(temporary)).toEqual([]);
  });

  describe("a page that fails", () => {
    it("reports what the experiment threw, and what it delivered before is kept", async () => {
      const { code, stderr, cwd } = await run(["train", "fake-failing-late", "--out", "out"]);
      expect(code).toBe(1);
      expect(stderr).toContain("error CLI-DEFECT: The runner page failed: failed on purpose");
      expect((await readFile(join(cwd, "out", "metrics.jsonl"), "utf8")).trim().split("\n")).toHaveLength(21);
    });

    it("names missing data by its path, not by the server's address", async () => {
      const { code, stderr, cwd } = await run(["train", "fake-mnist", "--data", ".", "--out", "out"]);
      expect(code).toBe(1);
      expect(stderr).toContain(`error DATA-NOT-FOUND: There is no file "train-images-idx3-ubyte" in "${cwd}".`);
      expect(stderr).not.toContain("127.0.0.1");
      expect(isAbsent(join(cwd, "out"))).toBe(true);
    });

    it("a browser that does not start is an error with a remedy", async () => {
      const { code, stderr } = await run(["train", "fake", "--browser", process.execPath, "--out", "out"]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/error RUN-BROWSER-START: .*\nfix: .*--browser/);
    });

    it.runIf(process.platform === "linux")("a browser that dies during the run is an error, not a hang", async () => {
      let isKilled = false;
      const temporary = await temporaryFolder();
      const { code, stderr } = await run(["train", "fake-slow", "--out", "out"], {
        env: { TMPDIR: temporary },
        onStderr(text) {
          if (isKilled || !text.includes("a double")) return;
          isKilled = true;
          for (const pid of browserProcesses(temporary)) process.kill(pid, "SIGKILL");
        },
      });
      expect(isKilled).toBe(true);
      expect(code).toBe(1);
      expect(stderr).toMatch(/error RUN-PAGE: The runner page failed: /);
    });
  });
}
