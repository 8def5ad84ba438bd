/** From a command line to a configuration: what is accepted, and that every mistake is named with its remedy. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { closest } from "../../src/cli/config/closest.ts";
import { type ConfigChoice, resolveConfig, validateConfig } from "../../src/cli/config/resolve.ts";
import { applySet } from "../../src/cli/config/setPath.ts";
import { isEngineError } from "../../src/errors.ts";
import { presets as realPresets } from "../../src/experiments/presets.ts";
import { presets } from "./fakeExperiment.ts";
import { temporaryFolder } from "./support.ts";

const fake = presets.fake!;

function choose(changes: Partial<ConfigChoice>) {
  return resolveConfig({ preset: "fake", set: [], ...changes }, presets, "/");
}

/** Code, message and fix of the error that `work` ends with. */
async function failure(work: () => unknown): Promise<{ code: string; text: string }> {
  try {
    await work();
  } catch (error) {
    if (isEngineError(error)) return { code: error.code, text: `${error.message}\n${error.fix}` };
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("presets", () => {
  it.each(Object.entries(realPresets))("%s is valid and carries its own name", (name, preset) => {
    expect(validateConfig(preset, name)).toEqual(preset);
    expect(preset.preset).toBe(name);
  });

  it("an unknown one lists those that exist and suggests the nearest", async () => {
    const { code, text } = await failure(() => choose({ preset: "fake-minst" }));
    expect(code).toBe("CONFIG-PRESET");
    expect(text).toContain("fake-mnist, fake-slow");
    expect(text).toContain("Did you mean fake-mnist?");
  });

  it("a name inherited from Object is no preset", async () => {
    expect((await failure(() => choose({ preset: "toString" }))).code).toBe("CONFIG-PRESET");
  });
});

describe("--set", () => {
  it("changes numbers, strings without quotes, booleans and lists, and nothing else", async () => {
    const config = await choose({
      set: ["data.modes=32", "kernels.family=register", "force=true", "data.negative=[-0.5,-0.25]"],
    });
    expect(config).toEqual({
      ...fake,
      data: { ...fake.data, modes: 32, negative: [-0.5, -0.25] },
      kernels: { family: "register" },
      force: true,
    });
  });

  it("--steps and --seed come last", async () => {
    expect(await choose({ set: ["steps=5", "seed=6"], steps: 7, seed: 8 })).toEqual({ ...fake, steps: 7, seed: 8 });
  });

  it("does not change the preset itself", async () => {
    await choose({ set: ["data.modes=32"] });
    expect(fake.data).toMatchObject({ modes: 16 });
  });

  it("keeps everything after the first equals sign", () => {
    expect(applySet({ a: "x" }, "a=b=c")).toEqual({ a: "b=c" });
  });

  it.each([
    ["data.modez=1", "CONFIG-SET-KEY", "Did you mean data.modes?"],
    ["zzz=1", "CONFIG-SET-KEY", "it has format, preset, kind, seed, steps"],
    ["steps.x=1", "CONFIG-SET-KEY", "steps is a number and has no keys"],
    ["data.__proto__.x=1", "CONFIG-SET-KEY", "no key"],
    ["data.modes=many", "CONFIG-SET-TYPE", "needs a number"],
    ['data.modes="16"', "CONFIG-SET-TYPE", "needs a number"],
    ["force=1", "CONFIG-SET-TYPE", "needs a boolean"],
    ["data=null", "CONFIG-SET-TYPE", "needs an object"],
    ["data.modes", "CLI-USAGE-SET", "path=value"],
    ["=5", "CLI-USAGE-SET", "path=value"],
    ["data.modes=0", "CONFIG-VALUE", "data.modes is 0"],
    ["data.modes=1.5", "CONFIG-VALUE", "data.modes is 1.5"],
    ["optimizer.momentum=1", "CONFIG-VALUE", "optimizer.momentum is 1"],
    ["optimizer.learningRate=0", "CONFIG-VALUE", "optimizer.learningRate is 0"],
    ["data.negative=[0.5]", "CONFIG-VALUE", "data.negative.0 is 0.5"],
    ["kernels.family=fast", "CONFIG-VALUE", '"register"'],
    ["preset=../x", "CONFIG-VALUE", "letters, digits"],
    ['model={"outputs":3}', "CONFIG-VALUE", "model.initScale is missing"],
    ['model={"outputs":3,"initScale":1,"depth":2}', "CONFIG-KEY", '"depth"'],
    ["seed=4294967296", "CONFIG-VALUE", "seed is 4294967296"],
  ])("refuses %s", async (assignment, code, part) => {
    const found = await failure(() => choose({ set: [assignment] }));
    expect(found.code).toBe(code);
    expect(found.text).toContain(part);
  });
});

describe("config.json", () => {
  const stored = async (text: string) => {
    const path = join(await temporaryFolder(), "config.json");
    await writeFile(path, text);
    return path;
  };

  it("repeats a run, changed where asked", async () => {
    const path = await stored(JSON.stringify(fake));
    expect(await choose({ preset: path })).toEqual(fake);
    expect(await choose({ preset: path, seed: 9 })).toEqual({ ...fake, seed: 9 });
  });

  it.each([
    ["{", "CONFIG-JSON", "not valid JSON"],
    ["[]", "CONFIG-VALUE", "the configuration"],
    [JSON.stringify({ ...fake, extra: 1 }), "CONFIG-KEY", '"extra"'],
    [JSON.stringify({ ...fake, steps: undefined }), "CONFIG-VALUE", "steps is missing"],
  ])("refuses %s", async (content, code, part) => {
    const path = await stored(content);
    const found = await failure(() => choose({ preset: path }));
    expect(found.code).toBe(code);
    expect(found.text).toContain(part);
  });

  it("that does not exist is named", async () => {
    const found = await failure(() => choose({ preset: "nowhere/config.json" }));
    expect(found.code).toBe("CONFIG-FILE");
    expect(found.text).toContain("/nowhere/config.json");
  });
});

describe("closest", () => {
  it("suggests only what is near", () => {
    expect(closest("stpes", ["steps", "seed"])).toBe("steps");
    expect(closest("weights", ["steps", "seed"])).toBeUndefined();
    expect(closest("x", [])).toBeUndefined();
  });
});
