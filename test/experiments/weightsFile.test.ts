/** Weights files: a file laid out by hand as torchvision's, round trips, damaged and foreign files. */
import { describe, expect, it } from "vitest";
import { parseSafetensors } from "../../src/data/index.ts";
import { loadWeights, saveWeights } from "../../src/experiments/weightsFile.ts";
import { describeModel, exportWeights, type ModelState, resnet } from "../../src/nn/index.ts";
import { randomState } from "../nn/support.ts";

const images = [2, 8, 8, 4];
const model = (depth: 18 | 34 | 50, classes?: number) =>
  describeModel(resnet({ depth, stem: "imagenet", width: 1 / 16, ...(classes ? { classes } : {}) }), images);
const spec = model(18, 10);
const { state, tensors } = randomState(spec, 4);
const file = saveWeights(spec, state, { metadata: { step: "7" } });

/** A safetensors file as safetensors.torch writes it: names sorted by type and then by name, header unpadded, 64-bit counters. */
function torchFile(
  weights: Readonly<Record<string, { shape: readonly number[]; data: ArrayLike<number> }>>,
): Uint8Array {
  const counters = Object.keys(weights)
    .filter((name) => name.endsWith("running_mean"))
    .map((name) => name.replace("running_mean", "num_batches_tracked"));
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  const parts: Uint8Array[] = [];
  let end = 0;
  const put = (name: string, dtype: string, shape: readonly number[], bytes: Uint8Array) => {
    header[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
    parts.push(bytes);
  };
  for (const name of counters.sort()) put(name, "I64", [], Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0));
  for (const [name, { shape, data }] of Object.entries(weights).sort(([a], [b]) => (a < b ? -1 : 1))) {
    put(name, "F32", shape, new Uint8Array(Float32Array.from(data).buffer));
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  return Uint8Array.from([length, text, ...parts].flatMap((part) => [...part]));
}

describe("weights files", () => {
  it("hold torchvision's names and shapes, and what is given beside them", () => {
    const read = parseSafetensors(file, "weights.safetensors");
    expect(read.metadata).toEqual({ format: "pt", step: "7" });
    expect(Object.keys(read.tensors)).toHaveLength(62 + 40);
    expect(read.tensors["layer2.0.downsample.0.weight"]?.shape).toEqual([8, 4, 1, 1]);
    expect(read.tensors["conv1.weight"]?.shape).toEqual([4, 3, 7, 7]);
    expect(read.tensors["bn1.running_var"]?.shape).toEqual([4]);
    expect(read.tensors).toEqual(exportWeights(spec, state));
  });

  it("come back bit for bit", () => {
    expect(loadWeights(spec, file, "x")).toEqual(state);
  });

  it("as PyTorch writes them load too: other order, counters of batches", () => {
    expect(loadWeights(spec, torchFile(tensors), "torch.safetensors")).toEqual(state);
  });

  it("of an encoder go into a larger model and come out of it", () => {
    const encoder = resnet({ depth: 18, stem: "imagenet", width: 1 / 16, classes: 10 });
    const whole = describeModel((scope, x) => scope.within("encoder", (own) => encoder(own, x)), images);
    const prefix = "encoder.";
    const loaded: ModelState = loadWeights(whole, file, "x", { prefix });
    expect(saveWeights(whole, loaded, { prefix, metadata: { step: "7" } })).toEqual(file);
  });
});

describe("refused files", () => {
  const changed = (change: Record<string, { shape: readonly number[]; data: Float32Array }>) =>
    torchFile({ ...tensors, ...change });
  const { "fc.bias": _, ...headless } = tensors;
  it.each<[string, Uint8Array, typeof spec, string, RegExp]>([
    [
      "an empty file",
      new Uint8Array(0),
      spec,
      "DATA-SAFETENSORS",
      /w.safetensors is not a sound safetensors file: it has 0/,
    ],
    ["a file cut off", file.slice(0, -5), spec, "DATA-TRUNCATED", /w.safetensors ends after \d+ bytes/],
    [
      "a PyTorch pickle",
      new TextEncoder().encode("PK\x03\x04archive/data.pkl"),
      spec,
      "DATA-SAFETENSORS",
      /header claims/,
    ],
    ["another depth", file, model(34, 10), "NN-WEIGHTS", /the file has no layer1.2.conv1.weight \[4, 4, 3, 3\]/],
    [
      "another kind of block",
      file,
      model(50, 10),
      "NN-WEIGHTS",
      /layer1.0.conv1.weight has shape \[4, 4, 3, 3\].*\[4, 4, 1, 1\]/,
    ],
    ["another head", file, model(18, 12), "NN-WEIGHTS", /fc.weight has shape \[10, 32\] in the file and \[12, 32\]/],
    ["a head too many", file, model(18), "NN-WEIGHTS", /the model has no fc.weight, fc.bias/],
    ["a tensor missing", torchFile(headless), spec, "NN-WEIGHTS", /the file has no fc.bias \[10\]/],
    [
      "a NaN",
      changed({ "fc.bias": { shape: [10], data: Float32Array.of(0, 0, 0, Number.NaN, 0, 0, 0, 0, 0, 0) } }),
      spec,
      "NN-WEIGHTS-VALUES",
      /element 3 of fc.bias is NaN/,
    ],
    [
      "a negative variance",
      changed({ "bn1.running_var": { shape: [4], data: Float32Array.of(1, 1, -1, 1) } }),
      spec,
      "NN-WEIGHTS-VALUES",
      /element 2 of bn1.running_var is -1/,
    ],
  ])("%s", (_what, bytes, into, code, message) => {
    expect(() => loadWeights(into, bytes, "w.safetensors")).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message), fix: expect.stringMatching(/\w/) }),
    );
  });
});
