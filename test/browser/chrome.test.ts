/** The runtime `chrome` end to end in a headless browser: the same numbers as in Node, and every way in which a page can fail. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dist } from "../cli/support.ts";
import { runSweptUp, testBrowserRuntime } from "./browserRuntime.ts";

testBrowserRuntime({
  runtime: "chrome",
  isMainProcess: (line, profileParent) =>
    line.includes(`--user-data-dir=${profileParent}/`) && !line.includes("--type="),
});

describe("training in a page", () => {
  it("gives the bytes that Node gives, and reads images by range", async () => {
    const distPath = await dist();
    const small = ["--set", "data.images=64", "--steps", "20", "--save", "views,weights", "--out", "out", "--json"];
    const inPage = await runSweptUp(["train", "linear-mnist", ...small], { distPath });
    expect([inPage.code, inPage.stderr]).toEqual([0, expect.stringContaining("adapter: ")]);
    const inNode = await runSweptUp(["train", "linear-mnist", "--runtime", "node", ...small], { distPath });
    expect(inNode.code).toBe(0);
    const names = (await readdir(join(inPage.cwd, "out"))).sort();
    expect(names).toEqual([
      "checkpoint.safetensors",
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
});
