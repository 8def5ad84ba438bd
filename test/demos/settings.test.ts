/** Settings of the staircase page: every choice survives the address; what an address may not say is left out and named. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DATA_SETS,
  defaults,
  faultOf,
  fromHash,
  type PresetName,
  RATES,
  rangeOf,
  type Settings,
  toConfig,
  toHash,
} from "../../demos/staircase/settings.ts";
import { runConfigSchema } from "../../src/cli/config/schemas/runConfig.ts";
import { linearPresets } from "../../src/experiments/presets.ts";

const NAMES = Object.keys(DATA_SETS) as PresetName[];

const settings: fc.Arbitrary<Settings> = fc.constantFrom(...NAMES).chain((preset) => {
  const usual = defaults(preset);
  const isMnist = preset === "linear-mnist";
  return fc.integer({ min: 4, max: isMnist ? 20 : 4 }).chain((crop) =>
    fc.record({
      preset: fc.constant(preset),
      d: fc.integer({ min: 1, max: rangeOf("d", { preset, crop }).most }),
      init: fc.double({ min: 1e-8, max: 1, noNaN: true }),
      lr: fc.double({ min: 1e-6, max: 1e3, noNaN: true }),
      seed: fc.integer({ min: 0, max: 0xffff_ffff }),
      images: isMnist ? fc.integer({ min: 16, max: 512 }) : fc.constant(usual.images),
      crop: fc.constant(isMnist ? crop : usual.crop),
      decay: preset === "linear-synthetic" ? fc.double({ min: 1.05, max: 4, noNaN: true }) : fc.constant(usual.decay),
      rate: fc.constantFrom(...RATES),
      logT: fc.boolean(),
      logLambda: fc.boolean(),
    }),
  );
});

describe("settings", () => {
  it("survive the address", () => {
    fc.assert(
      fc.property(settings, (chosen) => {
        expect(faultOf(chosen)).toBeUndefined();
        expect(fromHash(toHash(chosen))).toEqual({ settings: chosen, ignored: [] });
      }),
    );
  });

  it("make configurations that the command would take", () => {
    fc.assert(
      fc.property(settings, (chosen) => {
        expect(runConfigSchema.safeParse(toConfig(chosen)).error).toBeUndefined();
      }),
    );
  });

  it.each(NAMES)("of %s begin as the preset and make a short address", (name) => {
    const { data, model, optimizer, seed } = toConfig(defaults(name));
    expect({ data, model, optimizer, seed }).toEqual({
      data: linearPresets[name]?.data,
      model: linearPresets[name]?.model,
      optimizer: linearPresets[name]?.optimizer,
      seed: linearPresets[name]?.seed,
    });
    expect(toHash(defaults(name))).toBe(`#preset=${name.replace("linear-", "")}`);
  });

  it.each([
    ["#preset=nonsense", "preset=nonsense"],
    ["#preset=synthetic&d=13", "d=13"],
    ["#d=2.5", "d=2.5"],
    ["#d=", "d="],
    ["#lr=NaN", "lr=NaN"],
    ["#lr=-1", "lr=-1"],
    ["#seed=4294967296", "seed=4294967296"],
    ["#rate=7", "rate=7"],
    ["#t=linear", "t=linear"],
    ["#__proto__=1", "__proto__=1"],
    ["#preset=toString", "preset=toString"],
    ["#crop=4&d=17", "d=17"],
  ])("%s: what cannot be is left at its default and named", (hash, ignored) => {
    const read = fromHash(hash);
    expect(read.ignored).toEqual([ignored]);
    expect(faultOf(read.settings)).toBeUndefined();
  });

  it("name the range of a number that is outside it", () => {
    expect(faultOf({ ...defaults("linear-mnist"), d: 65 })).toEqual({
      key: "d",
      message: "The embedding dimension d must be a whole number from 1 to 64.",
    });
    expect(faultOf({ ...defaults("linear-mnist"), lr: Number.NaN })?.key).toBe("lr");
    // The decay does not concern digits.
    expect(faultOf({ ...defaults("linear-mnist"), decay: 99 })).toBeUndefined();
  });
});
