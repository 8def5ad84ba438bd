// The data layer stands alone and runs in a page: it imports only itself and errors.ts.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as data from "../../src/data/index.ts";

const folder = new URL("../../src/data/", import.meta.url);

describe("src/data", () => {
  it.each(readdirSync(folder))("%s imports only its neighbours and errors.ts", (file) => {
    const text = readFileSync(new URL(file, folder), "utf8");
    const imported = [...text.matchAll(/\bfrom\s+"([^"]+)"|\bimport\s*\(?\s*"([^"]+)"/g)].map((m) => m[1] ?? m[2]);
    for (const target of imported) expect(target).toMatch(/^(\.\/\w+\.ts|\.\.\/errors\.ts)$/);
    expect(text).not.toMatch(/\b(Buffer|process|require)\b\s*[.(]/);
  });

  it("exports the readers and generators", () => {
    expect(Object.keys(data).sort()).toEqual([
      "CIFAR10_CLASSES",
      "CounterRandom",
      "MAX_SEED",
      "RandomStream",
      "STL10_CLASSES",
      "amplitudeBias",
      "asymmetricConditionals",
      "cropOrigin",
      "encodeNpy",
      "encodeSafetensors",
      "extentBias",
      "gaussianPairs",
      "gaussianPairs64",
      "heldImageFile",
      "httpFolder",
      "httpSource",
      "memoryFolder",
      "memorySource",
      "mulhi",
      "openStl10",
      "parseNpy",
      "parseSafetensors",
      "pixelAt",
      "planStream",
      "readCifar10",
      "readIdx",
      "readMatrixF32",
      "readMnist",
      "readNpy",
      "readStl10",
      "resizeImages",
      "sha256Hex",
      "stl10Chunks",
      "symmetricConditionals",
      "threefry2x32",
      "toFloat32",
      "treePolarities",
      "uniform01",
      "windowAt",
    ]);
  });
});
