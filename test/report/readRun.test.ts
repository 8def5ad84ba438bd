/** Reading a run folder back: everything in it, cut and damaged files, other formats. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readRunFolder } from "../../src/report/readRun.ts";
import { temporaryFolder } from "../cli/support.ts";
import { makeRun, metricsText, writeRun } from "./runFolders.ts";

const run = makeRun({ steps: 20 });

async function folderWith(changes: Parameters<typeof writeRun>[2]): Promise<string> {
  return writeRun(join(await temporaryFolder(), "run"), run, changes);
}

describe("a whole run", () => {
  it("comes back as it was written", async () => {
    const folder = await folderWith({});
    const read = await readRunFolder(folder);
    expect(read.config).toEqual(run.config);
    expect(read.records.map(({ step }) => step)).toEqual(run.records.map(({ step }) => step));
    // metrics.jsonl keeps nine digits.
    for (const [index, { loss }] of read.records.entries()) expect(loss).toBeCloseTo(run.records[index]!.loss, 7);
    expect(read.hasPartialLine).toBe(false);
    expect(read.wholeBytes).toBe((await readFile(join(folder, "metrics.jsonl"))).length);
    expect(read.summary).toMatchObject(run.summary);
  });

  it("has no summary while there is none, or when it is damaged", async () => {
    expect((await readRunFolder(await folderWith({ summary: null }))).summary).toBeUndefined();
    expect((await readRunFolder(await folderWith({ summary: '{"preset": "x"' }))).summary).toBeUndefined();
  });

  it("a loss that was not finite is NaN", async () => {
    const text =
      '{"step":0,"t":0,"loss":1,"spectrum":[0.5,1e-9]}\n{"step":1,"t":0.1,"loss":null,"spectrum":[null,0]}\n';
    const { records } = await readRunFolder(await folderWith({ metrics: text }));
    expect(records[1]).toEqual({ step: 1, t: 0.1, loss: Number.NaN, spectrum: [Number.NaN, 0] });
  });
});

describe("metrics.jsonl", () => {
  const text = metricsText(run.records);

  it("cut at any byte gives the whole lines before the cut, and says so", async () => {
    const tail = text.slice(0, -1).lastIndexOf("\n") + 1;
    for (let cut = tail - 3; cut <= text.length; cut++) {
      const read = await readRunFolder(await folderWith({ metrics: text.slice(0, cut) }));
      const whole = text.slice(0, cut).lastIndexOf("\n") + 1;
      expect([cut, read.wholeBytes, read.hasPartialLine]).toEqual([cut, whole, whole !== cut]);
      expect(read.records).toHaveLength(text.slice(0, whole).split("\n").length - 1);
    }
  });

  it("may be empty", async () => {
    expect(await readRunFolder(await folderWith({ metrics: "" }))).toMatchObject({ records: [], wholeBytes: 0 });
  });

  const lines = text.split("\n");
  it.each([
    ["no JSON", "{", "it is not a record"],
    ["an empty line", "", "it is not a record"],
    ["zeros of a crashed disk", "\0\0\0", "it is not a record"],
    ["another document", '{"epoch":1}', "it is not a record"],
    ["text among the eigenvalues", '{"step":2,"t":0.1,"loss":1,"spectrum":[1,"2",3]}', "it is not a record"],
    ["a step that goes back", lines[0]!, "its step 0 does not come after 1"],
    ["fewer eigenvalues", '{"step":2,"t":0.1,"loss":1,"spectrum":[1]}', "it has 1 eigenvalues, the line before 3"],
  ])("with a damaged line in the middle (%s) is refused, and the line named", async (_, line, why) => {
    const folder = await folderWith({ metrics: [...lines.slice(0, 2), line, ...lines.slice(3)].join("\n") });
    await expect(readRunFolder(folder)).rejects.toMatchObject({
      code: "RUN-METRICS",
      message: expect.stringMatching(new RegExp(`^Line 3 of .*metrics\\.jsonl is damaged: ${why}$`)),
      fix: expect.stringContaining("head -n 2"),
    });
  });
});

describe("what is not a run", () => {
  it.each([
    ["no config.json", { config: null }, "it holds no config.json"],
    ["no metrics.jsonl", { metrics: null }, "it holds no metrics.jsonl"],
    ["a config.json that is not JSON", { config: "{" }, "its config.json is not JSON"],
    ["another program's config.json", { config: { name: "x" } }, '"format" is missing'],
    ["a configuration without kind", { config: { ...run.config, kind: undefined } }, '"kind" is missing'],
  ])("%s", async (_, changes, why) => {
    await expect(readRunFolder(await folderWith(changes))).rejects.toMatchObject({
      code: "RUN-NOT-A-RUN",
      message: expect.stringContaining(why),
      fix: expect.stringContaining("eigenstep train"),
    });
  });

  it("a path that does not exist, or is a file", async () => {
    const folder = await folderWith({});
    const absent = join(folder, "absent");
    await expect(readRunFolder(absent)).rejects.toMatchObject({
      code: "RUN-NOT-A-RUN",
      message: `${absent} is not the folder of a run: it does not exist`,
    });
    await expect(readRunFolder(join(folder, "config.json"))).rejects.toMatchObject({
      code: "RUN-NOT-A-RUN",
      message: expect.stringContaining("it is a file, not a folder"),
    });
  });

  it("a run of a later format, whatever else has changed in it", async () => {
    for (const config of [
      { ...run.config, format: 2 },
      { format: 7, run: {} },
    ]) {
      await expect(readRunFolder(await folderWith({ config, metrics: null }))).rejects.toMatchObject({
        code: "RUN-NEWER",
        message: expect.stringContaining(`has format ${config.format}; this eigenstep reads up to 1`),
        fix: expect.stringContaining("Update eigenstep"),
      });
    }
  });
});
