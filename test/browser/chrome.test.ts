/** The runtime `chrome` end to end in a headless browser: the same numbers as in Node, and every way in which a page can fail. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  dist,
  distWithDouble,
  eigenstep,
  isAbsent,
  type ProcessOptions,
  type Ran,
  temporaryFolder,
} from "../cli/support.ts";

let real = "";
let double = "";
beforeAll(async () => {
  double = await distWithDouble();
  real = await dist();
});

/** Runs with a folder for temporary files of its own, and fails when the browser's profile is left in it. */
async function run(args: readonly string[], options: Partial<ProcessOptions> = {}): Promise<Ran> {
  const cwd = await temporaryFolder();
  const temporary = await temporaryFolder();
  const ran = await eigenstep(args, { cwd, distPath: double, env: { TMPDIR: temporary }, ...options });
  expect(await readdir(temporary)).toEqual([]);
  return ran;
}

/** Kills the browser whose profile lies in a folder, found by its command line. */
function killBrowser(profileParent: string): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const line = existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : "";
    if (line.includes(`--user-data-dir=${profileParent}/`) && !line.includes("--type="))
      process.kill(Number(pid), "SIGKILL");
  }
}

describe("training in a page", () => {
  it("gives the bytes that Node gives, and reads images by range", async () => {
    const small = ["--set", "data.images=64", "--steps", "20", "--save", "views,weights", "--out", "out", "--json"];
    const inPage = await run(["train", "linear-mnist", ...small], { distPath: real });
    expect([inPage.code, inPage.stderr]).toEqual([0, expect.stringContaining("adapter: ")]);
    const inNode = await run(["train", "linear-mnist", "--runtime", "node", ...small], { distPath: real });
    expect(inNode.code).toBe(0);
    const names = (await readdir(join(inPage.cwd, "out"))).sort();
    expect(names).toEqual([
      "config.json",
      "metrics.jsonl",
      "summary.json",
      "views_a.npy",
      "views_b.npy",
      "weights_final.npy",
      "weights_init.npy",
    ]);
    const [page, node] = [JSON.parse(inPage.stdout), JSON.parse(inNode.stdout)];
    expect(page).toMatchObject({ preset: "linear-mnist", runtime: "chrome", steps: 20 });
    // Bits are promised on the same adapter only; in Node another driver may have been found.
    if (page.adapter.architecture !== node.adapter.architecture) return;
    for (const name of names.filter((name) => name !== "summary.json")) {
      expect([
        name,
        (await readFile(join(inPage.cwd, "out", name))).equals(await readFile(join(inNode.cwd, "out", name))),
      ]).toEqual([name, true]);
    }
    expect({ theory: page.theory, measured: page.measured }).toEqual({ theory: node.theory, measured: node.measured });
  });

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
        killBrowser(temporary);
      },
    });
    expect(isKilled).toBe(true);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error RUN-PAGE: The runner page failed: /);
  });
});
