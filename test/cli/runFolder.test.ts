/** The run folder: atomic files, whole lines, and names that cannot leave it. */
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { RunFolder } from "../../src/cli/runFolder.ts";
import { presets } from "./fakeExperiment.ts";
import { isAbsent, temporaryFolder } from "./support.ts";

const record = (step: number) => ({ step, t: step, loss: 1, spectrum: [1] });

async function begun() {
  const path = join(await temporaryFolder(), "deep", "run");
  const folder = await RunFolder.at(path);
  expect(isAbsent(path)).toBe(true);
  await folder.begin(presets.fake!);
  return { folder, path };
}

describe("RunFolder", () => {
  it("does not exist before it begins, and holds whole files afterwards", async () => {
    const { folder, path } = await begun();
    expect((await readdir(path)).sort()).toEqual(["config.json", "metrics.jsonl"]);
    // Training does not wait for the disk; flush does.
    void folder.append([record(0), record(1)]);
    void folder.append([record(2)]);
    await folder.flush();
    expect(
      (await readFile(join(path, "metrics.jsonl"), "utf8")).split("\n").map((line) => line && JSON.parse(line).step),
    ).toEqual([0, 1, 2, ""]);
    await folder.file("views_a.npy", new Uint8Array([7]));
    await folder.summary({ a: 1 });
    expect((await readdir(path)).sort()).toEqual(["config.json", "metrics.jsonl", "summary.json", "views_a.npy"]);
    expect(await readFile(join(path, "summary.json"), "utf8")).toBe('{\n  "a": 1\n}\n');
  });

  it("leaves no partial file behind when a write fails", async () => {
    const { folder, path } = await begun();
    await rm(path, { recursive: true });
    await writeFile(path, "now a file");
    await expect(folder.summary({ a: 1 })).rejects.toMatchObject({ code: "RUN-WRITE" });
    void folder.append([record(0)]);
    await expect(folder.flush()).rejects.toMatchObject({ code: "RUN-WRITE" });
    expect(() => folder.append([record(1)])).toThrow(expect.objectContaining({ code: "RUN-WRITE" }));
    expect(await readFile(path, "utf8")).toBe("now a file");
  });

  it("does not take a folder that another run took in the meantime", async () => {
    const parent = await temporaryFolder();
    const [first, second] = [await RunFolder.at(join(parent, "x")), await RunFolder.at(join(parent, "x"))];
    await first.begin(presets.fake!);
    await expect(second.begin(presets["fake-slow"]!)).rejects.toMatchObject({ code: "RUN-WRITE" });
    expect(JSON.parse(await readFile(join(parent, "x", "config.json"), "utf8")).preset).toBe("fake");
  });

  it.each(["../x", "a/b", "a\\b", "", ".", "..", ".hidden", "config.json", "metrics.jsonl", "summary.json", "a\0b"])(
    "refuses the file name %j",
    async (name) => {
      const { folder } = await begun();
      await expect(folder.file(name, new Uint8Array(1))).rejects.toMatchObject({ code: "RUN-FILE-NAME" });
    },
  );
});
