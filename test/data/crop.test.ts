// Crop positions: exact integers, known answers, uniform over the places where the crop fits.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CropDraw, cropOrigin, mulhi } from "../../src/data/crop.ts";
import { expectCode } from "./support.ts";

const draw = (change: Partial<CropDraw> = {}): CropDraw => ({
  seed: 0,
  step: 0,
  image: 0,
  view: 0,
  height: 32,
  width: 32,
  cropHeight: 24,
  cropWidth: 24,
  ...change,
});

describe("mulhi", () => {
  it("is the high word of the exact product", () => {
    const words = fc.oneof(
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.constantFrom(0, 1, 0xffff, 0x10000, 0x1ffff, 0x7fffffff, 0x80000000, 0xffff0000, 0xfffffffe, 0xffffffff),
    );
    fc.assert(
      fc.property(words, words, (a, b) => {
        expect(mulhi(a, b)).toBe(Number((BigInt(a) * BigInt(b)) >> 32n));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("cropOrigin", () => {
  // By an independent implementation in Python: big integers, key (seed, 2), counter (image, 2·step + view).
  it.each([
    [draw(), 3, 7],
    [draw({ view: 1 }), 1, 6],
    [draw({ seed: 1, step: 5, image: 17, height: 96, width: 96, cropHeight: 64, cropWidth: 32 }), 0, 11],
    [draw({ seed: 42, step: 100, image: 59999, view: 1, height: 28, width: 28, cropHeight: 28, cropWidth: 20 }), 0, 1],
    [
      {
        seed: 0xffffffff,
        step: 2 ** 31 - 1,
        image: 0xffffffff,
        view: 1,
        height: 2 ** 31 - 1,
        width: 2 ** 31 - 1,
        cropHeight: 1,
        cropWidth: 1,
      },
      611389730,
      2081613112,
    ],
  ])("known answer %#", (known, y0, x0) => {
    expect(cropOrigin(known)).toEqual({ y0, x0 });
  });

  it("depends on seed, step, image and view", () => {
    const wide = { height: 2 ** 30, width: 2 ** 30 };
    const origins = [{}, { seed: 1 }, { step: 1 }, { image: 1 }, { view: 1 }].map((change) =>
      JSON.stringify(cropOrigin(draw({ ...wide, ...change }))),
    );
    expect(new Set(origins).size).toBe(5);
  });

  it("reaches every place, the last one too, equally often", () => {
    // 9×5 = 45 places, 45,000 draws: counts are about normal with mean 1000, sd √(1000·44/45); 6 sd for 45 counts.
    const counts = new Array<number>(45).fill(0);
    for (let image = 0; image < 45_000; image++) {
      const { y0, x0 } = cropOrigin(draw({ image, height: 32, width: 12, cropHeight: 24, cropWidth: 8 }));
      if (y0 < 0 || y0 > 8 || x0 < 0 || x0 > 4) expect.fail(`[${y0}, ${x0}] lies outside`);
      counts[y0 * 5 + x0]!++;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(6 * Math.sqrt((1000 * 44) / 45));
  });

  it("a crop of the whole image lies at the origin", () => {
    for (let image = 0; image < 100; image++) {
      expect(cropOrigin(draw({ image, cropHeight: 32, cropWidth: 32 }))).toEqual({ y0: 0, x0: 0 });
    }
  });

  it("refuses a crop that does not fit, naming the sizes", async () => {
    const error = await expectCode("DATA-CROP", () => cropOrigin(draw({ cropWidth: 33 })));
    expect(error.message).toContain("24×33 does not fit into an image of 32×32");
    await expectCode("DATA-CROP", () => cropOrigin(draw({ cropHeight: 33 })));
  });

  it.each([
    { seed: -1 },
    { seed: 2 ** 32 },
    { step: 2 ** 31 },
    { step: 0.5 },
    { image: 2 ** 32 },
    { view: 2 },
    { cropHeight: 0 },
    { width: Number.NaN },
  ])("refuses %j", async (change) => {
    await expectCode("DATA-OPTION", () => cropOrigin(draw(change)));
  });
});
