import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeSafetensors, parseSafetensors } from "../../src/data/index.ts";

const text = new TextEncoder();

/** A file from a header object and data bytes, laid out by hand. */
function file(header: unknown, data: number[] = []): Uint8Array {
  const json = text.encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

describe("safetensors", () => {
  it("has the layout of the format: length, JSON padded with spaces to 8 bytes, data in order", () => {
    const bytes = encodeSafetensors({
      tensors: { a: { shape: [2], data: Float32Array.of(1, -2) }, b: { shape: [], data: Uint32Array.of(7) } },
      metadata: { step: "3" },
    });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
    expect(JSON.parse(header)).toEqual({
      __metadata__: { step: "3" },
      a: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
      b: { dtype: "U32", shape: [], data_offsets: [8, 12] },
    });
    expect(header.trimEnd().endsWith("}")).toBe(true);
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 7, 0, 0, 0]);
  });

  it("reads back what it wrote, bit for bit", () => {
    const tensor = fc.array(fc.float({ noDefaultInfinity: false }), { maxLength: 20 });
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ minLength: 1 }).filter((name) => name !== "__metadata__" && name !== "__proto__"),
          tensor,
        ),
        (arrays) => {
          const tensors = Object.fromEntries(
            Object.entries(arrays).map(([name, values]) => [
              name,
              { shape: [values.length, 1], data: Float32Array.from(values) },
            ]),
          );
          const read = parseSafetensors(encodeSafetensors({ tensors, metadata: { k: "v" } }), "x");
          expect(read.tensors).toEqual(tensors);
          expect(read.metadata).toEqual({ k: "v" });
        },
      ),
    );
  });

  it("reads a file of the reference implementation: no metadata, unpadded header", () => {
    const { tensors, metadata } = parseSafetensors(
      file({ w: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, [0, 0, 0x80, 0x3f]),
      "x",
    );
    expect([tensors.w!.data[0], metadata]).toEqual([1, {}]);
  });

  const good = { dtype: "F32", shape: [1], data_offsets: [0, 4] };
  it.each([
    ["nothing", new Uint8Array(3), "DATA-SAFETENSORS", /3 bytes/],
    [
      "a header longer than the file",
      new Uint8Array([255, 255, 255, 0, 0, 0, 0, 0]),
      "DATA-SAFETENSORS",
      /claims 16777215/,
    ],
    ["a header that is not JSON", file("{nonsense"), "DATA-SAFETENSORS", /JSON/],
    ["a header that is a list", file([1]), "DATA-SAFETENSORS", /JSON object/],
    [
      "an unknown dtype",
      file({ w: { ...good, dtype: "BF16" } }, [0, 0, 0, 0]),
      "DATA-SAFETENSORS",
      /tensor w has dtype BF16/,
    ],
    [
      "tensors that overlap",
      file({ v: good, w: { ...good, data_offsets: [0, 4] } }, [0, 0, 0, 0]),
      "DATA-SAFETENSORS",
      /tensor w begins at byte 0 of the data, not at 4/,
    ],
    [
      "a hole between tensors",
      file({ v: good, w: { ...good, data_offsets: [8, 12] } }, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      "DATA-SAFETENSORS",
      /tensor w begins at byte 8 of the data, not at 4/,
    ],
    ["bytes after the last tensor", file({ w: good }, [0, 0, 0, 0, 9]), "DATA-SAFETENSORS", /1 bytes follow/],
    [
      "a shape that does not fit its bytes",
      file({ w: { ...good, shape: [2] } }, [0, 0, 0, 0]),
      "DATA-SAFETENSORS",
      /\[2\] has 4 bytes/,
    ],
    [
      "offsets that run backwards",
      file({ w: { ...good, data_offsets: [4, 0] } }, [0, 0, 0, 0]),
      "DATA-SAFETENSORS",
      /tensor w/,
    ],
    ["a negative extent", file({ w: { ...good, shape: [-1] } }, [0, 0, 0, 0]), "DATA-SAFETENSORS", /tensor w/],
    ["data that is cut off", file({ w: good }, [0, 0]), "DATA-TRUNCATED", /ends after 2 bytes/],
  ])("refuses %s", (_what, bytes, code, message) => {
    expect(() => parseSafetensors(bytes, "x")).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});
