// .npy files: bytes that numpy 2.4.6 wrote, round trips, every bad file.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../src/data/byteSource.ts";
import { encodeNpy, parseNpy, readMatrixF32, readNpy, toFloat32 } from "../../src/data/npy.ts";
import { bytesOf, concat, expectCode } from "./support.ts";

/** A .npy file from its header dict, as numpy pads it, and the hexadecimal of its data. */
function npy(dict: string, dataHex = "", version = 1): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(dict);
  const prefix = version === 1 ? 10 : 12;
  const length = Math.ceil((prefix + text.length + 1) / 64) * 64 - prefix;
  const header = new Uint8Array(length).fill(0x20);
  header.set(text);
  header[length - 1] = 0x0a;
  const sizeBytes = [length & 255, (length >> 8) & 255, ...(version === 1 ? [] : [length >> 16, 0])];
  return concat(bytesOf("934e554d5059"), Uint8Array.of(version, 0, ...sizeBytes), header, bytesOf(dataHex));
}

const dict = (descr: string, shape: string, fortran = "False") =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;

/** Bytes of numpy 2.4.6, from numpy.lib.format.write_array; header text kept as it was, spaces as a count. */
const spaces = (count: number) => " ".repeat(count);
const golden = (prefixHex: string, header: string, dataHex: string) =>
  concat(bytesOf(`934e554d5059${prefixHex}`), new TextEncoder().encode(`${header}\n`), bytesOf(dataHex));
const F4_2X3 = golden(
  "01007600",
  `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }${spaces(58)}`,
  "0000803f0000004000004040000080400000a0400000d0c0",
);

describe("parseNpy reads what numpy wrote", () => {
  it("<f4, C order, version 1.0", () => {
    const array = parseNpy(F4_2X3, "a.npy");
    expect(array).toEqual({ name: "a.npy", dtype: "f4", shape: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, -6.5]) });
  });

  it(">f4, Fortran order, version 2.0", () => {
    const file = golden(
      "020074000000",
      `{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3), }${spaces(57)}`,
      "3f800000408000004000000040a0000040400000c0d00000",
    );
    const array = parseNpy(file, "a.npy");
    expect(array.shape).toEqual([2, 3]);
    expect(array.data).toEqual(new Float32Array([1, 2, 3, 4, 5, -6.5]));
  });

  it("|u1, Fortran order, three axes, version 3.0", () => {
    const file = golden(
      "030074000000",
      `{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }${spaces(54)}`,
      "000c04100814010d05110915020e06120a16030f07130b17",
    );
    expect(parseNpy(file, "a.npy").data).toEqual(Uint8Array.from({ length: 24 }, (_, i) => i));
  });

  it("<f8 scalar", () => {
    const file = golden(
      "01007600",
      `{'descr': '<f8', 'fortran_order': False, 'shape': (), }${spaces(62)}`,
      "0000000000000a40",
    );
    expect(parseNpy(file, "a.npy")).toMatchObject({ dtype: "f8", shape: [], data: new Float64Array([3.25]) });
  });

  it("<i8 and >i8, as float64 numbers", () => {
    const little = npy(dict("<i8", "(3,)"), "0100000000000000feffffffffffffffffffffffffff1f00");
    expect(parseNpy(little, "a.npy")).toMatchObject({
      dtype: "i8",
      data: new Float64Array([1, -2, Number.MAX_SAFE_INTEGER]),
    });
    const big = npy(dict(">i8", "(2,)"), "0000000000000001fffffffffffffffe");
    expect(parseNpy(big, "a.npy").data).toEqual(new Float64Array([1, -2]));
  });

  it("<i4, >u4, >f8, empty, one axis", () => {
    expect(parseNpy(npy(dict("<i4", "(2,)"), "ffffffff07000000"), "a").data).toEqual(new Int32Array([-1, 7]));
    expect(parseNpy(npy(dict(">u4", "(2,)"), "ffffffff00000007"), "a").data).toEqual(new Uint32Array([2 ** 32 - 1, 7]));
    expect(parseNpy(npy(dict(">f8", "(1,)"), "400a000000000000"), "a").data).toEqual(new Float64Array([3.25]));
    expect(parseNpy(npy(dict("<i4", "(0, 3)")), "a")).toMatchObject({ shape: [0, 3], data: new Int32Array(0) });
    expect(parseNpy(npy(dict("<i4", "(3, 0)", "True")), "a")).toMatchObject({ shape: [3, 0], data: new Int32Array(0) });
  });

  it("headers of other writers: other order, double quotes, no trailing comma, Python 2's long", () => {
    const header = '{"shape": (2L,), "descr": "<i4", "fortran_order": False}';
    expect(parseNpy(npy(header, "0100000002000000"), "a").data).toEqual(new Int32Array([1, 2]));
  });

  it("a version 2.0 header longer than 65,535 bytes, which is what the version is for", () => {
    const file = npy(`${dict("<i4", "(2,)")}${spaces(70_000)}`, "0100000002000000", 2);
    expect(parseNpy(file, "a").data).toEqual(new Int32Array([1, 2]));
  });

  it("a view at an odd address, without touching it", () => {
    const outer = concat(new Uint8Array(3), F4_2X3);
    const before = outer.slice();
    const array = parseNpy(outer.subarray(3), "a");
    array.data.fill(0);
    expect(outer).toEqual(before);
  });
});

/** Rank, last size, header bytes: numpy.save of zeros((1, …, 1, last), "u1"). (14, 100) ends on the border and gets 64 more. */
const HEADER_BYTES = [
  [1, 1, 128],
  [1, 100, 128],
  [14, 1, 128],
  [14, 10, 128],
  [14, 100, 192],
  [15, 1, 192],
  [16, 100, 192],
  [36, 1, 256],
  [64, 7, 320],
] as const;

describe("encodeNpy writes what numpy writes", () => {
  it("golden bytes", () => {
    expect(encodeNpy(new Float32Array([1, 2, 3, 4, 5, -6.5]), [2, 3])).toEqual(F4_2X3);
    const scalar = `{'descr': '<f8', 'fortran_order': False, 'shape': (), }${spaces(62)}`;
    expect(encodeNpy(new Float64Array([3.25]), [])).toEqual(golden("01007600", scalar, "0000000000000a40"));
    const empty = `{'descr': '<i4', 'fortran_order': False, 'shape': (0, 3), }${spaces(58)}`;
    expect(encodeNpy(new Int32Array(0), [0, 3])).toEqual(golden("01007600", empty, ""));
    const one = `{'descr': '<u4', 'fortran_order': False, 'shape': (2,), }${spaces(60)}`;
    expect(encodeNpy(new Uint32Array([2 ** 32 - 1, 7]), [2])).toEqual(golden("01007600", one, "ffffffff07000000"));
  });

  it("header lengths around the border of 128 bytes, as numpy's", () => {
    // Total header bytes for u1 arrays of shape (1, …, 1, last), from numpy 2.4.6.
    for (const [rank, last, headerBytes] of HEADER_BYTES) {
      const shape = [...new Array(rank - 1).fill(1), last];
      const file = encodeNpy(new Uint8Array(last), shape);
      expect([rank, last, file.indexOf(0x0a) + 1]).toEqual([rank, last, headerBytes]);
      expect(file.length - last).toBe(headerBytes);
    }
  });

  it("a part of a larger buffer", () => {
    const part = new Float32Array([9, 1, 2, 3, 4, 5, -6.5, 9]).subarray(1, 7);
    expect(encodeNpy(part, [2, 3])).toEqual(F4_2X3);
  });

  it.each([[[2, 4]], [[7]], [[]], [[-2, -3]], [[1.5, 4]], [new Array(65).fill(1)]])(
    "refuses shape %j for 6 elements",
    async (shape) => {
      await expectCode("DATA-NPY-SHAPE", () => encodeNpy(new Float32Array(6), shape));
    },
  );
});

describe("round trips", () => {
  const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
  const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

  it("encode then parse keeps type, shape and bits", () => {
    const kinds = [Float32Array, Float64Array, Uint8Array, Int32Array, Uint32Array] as const;
    fc.assert(
      fc.property(shapes, fc.constantFrom(...kinds), fc.infiniteStream(fc.double()), (shape, Kind, values) => {
        const data = Kind.from([...values.take(product(shape))]);
        const array = parseNpy(encodeNpy(data, shape), "a");
        expect(array.shape).toEqual(shape);
        expect(array.data).toEqual(data);
      }),
      { numRuns: 200 },
    );
  });

  it("a Fortran-ordered file of any rank reads as its C-ordered twin", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const count = product(shape);
        // Element at (i0, i1, …) holds its C index; written at its Fortran position, by the definition of both orders.
        const file = new Int32Array(count);
        for (let c = 0; c < count; c++) {
          let rest = c;
          let position = 0;
          for (let axis = shape.length - 1; axis >= 0; axis--) {
            position += (rest % shape[axis]!) * product(shape.slice(0, axis));
            rest = Math.floor(rest / shape[axis]!);
          }
          file[position] = c;
        }
        const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
        const bytes = concat(npy(dict("<i4", tuple, "True")), new Uint8Array(file.buffer));
        expect(parseNpy(bytes, "a").data).toEqual(Int32Array.from({ length: count }, (_, i) => i));
      }),
      { numRuns: 200 },
    );
  });
});

describe("parseNpy refuses", () => {
  const ok = dict("<f4", "(2,)");
  const data = "0000803f00000040";

  it("nothing (control: the file that the cases below damage is read)", () => {
    expect(parseNpy(npy(ok, data), "a").data).toEqual(new Float32Array([1, 2]));
  });

  it.each([
    ["another file", "DATA-NPY-MAGIC", bytesOf("89504e470d0a1a0a"), /89 50 4e 47 0d 0a/],
    ["an .npz", "DATA-NPY-MAGIC", bytesOf("504b030414000000"), /npz/],
    ["an empty file", "DATA-NPY-MAGIC", new Uint8Array(0), /empty/],
    ["version 4.0", "DATA-NPY-VERSION", npy(ok, data, 4), /4\.0/],
    ["only the magic", "DATA-TRUNCATED", bytesOf("934e554d5059"), /6 bytes/],
    ["a cut length field", "DATA-TRUNCATED", bytesOf("934e554d5059010076"), /9 bytes/],
    ["a cut header", "DATA-TRUNCATED", npy(ok, data).subarray(0, 100), /100 bytes.*128/],
    ["a missing byte of data", "DATA-TRUNCATED", npy(ok, data.slice(2)), /7 bytes.*\(2,\).*8: 1 are missing/],
    ["a spare byte of data", "DATA-TRAILING", npy(ok, `${data}00`), /9 bytes.*8: 1 too many/],
    ["a huge shape", "DATA-TRUNCATED", npy(dict("<f8", "(9007199254740991, 9007199254740991)"), data), /missing/],
    ["a tuple header", "DATA-NPY-HEADER", npy("('<f4', False, (2,))", data), /not a dict/],
    ["an unclosed dict", "DATA-NPY-HEADER", npy("{'descr': '<f4',", data), /not a Python literal/],
    ["an expression", "DATA-NPY-HEADER", npy("{'descr': open('x')}", data), /not a Python literal/],
    ["a missing key", "DATA-NPY-HEADER", npy("{'descr': '<f4', 'shape': (2,)}", data), /keys descr, shape /],
    ["an extra key", "DATA-NPY-HEADER", npy(ok.replace("{", "{'x': 1, "), data), /shape, x/],
    ["a repeated key", "DATA-NPY-HEADER", npy(ok.replace("{", "{'shape': (2,), "), data), /twice/],
    ["a number as key", "DATA-NPY-HEADER", npy("{1: 2}", data), /key/],
    ["no colon", "DATA-NPY-HEADER", npy("{'descr' '<f4'}", data), /":"/],
    ["no comma", "DATA-NPY-HEADER", npy("{'descr': '<f4' 'shape': (2,)}", data), /","/],
    ["a negative size", "DATA-NPY-HEADER", npy(dict("<f4", "(-2,)"), data), /tuple of sizes/],
    ["a size that is text", "DATA-NPY-HEADER", npy(dict("<f4", "('2',)"), data), /tuple of sizes/],
    ["a bare size", "DATA-NPY-HEADER", npy(dict("<f4", "2"), data), /tuple of sizes/],
    ["a fortran_order of 1", "DATA-NPY-HEADER", npy(dict("<f4", "(2,)", "1"), data), /fortran_order/],
    ["something after the dict", "DATA-NPY-HEADER", npy(`${ok} 5`, data), /after the dict/],
    ["deep nesting", "DATA-NPY-HEADER", npy("(".repeat(30000), data), /nested deeper/],
    ["a descr of None", "DATA-NPY-HEADER", npy(ok.replace("'<f4'", "None"), data), /type code/],
  ] as const)("%s: %s", async (_, code, bytes, message) => {
    const error = await expectCode(code, () => parseNpy(bytes, "a.npy"));
    expect(error.message).toMatch(message);
    expect(error.where).toBe("a.npy");
  });

  it.each([
    ["|O", /object dtype \|O/],
    ["<c8", /complex dtype <c8/],
    ["<c16", /complex dtype <c16/],
    ["<U5", /string dtype <U5/],
    ["|S3", /string dtype \|S3/],
    ["<M8[ns]", /date or time dtype <M8\[ns\]/],
    ["|V8", /structured or void dtype \|V8/],
    ["<f2", /dtype <f2/],
    ["|b1", /dtype \|b1/],
    ["|i1", /dtype \|i1/],
    ["<u8", /dtype <u8/],
    ["|f4", /dtype \|f4/],
  ])("dtype %s, naming it", async (descr, message) => {
    const error = await expectCode("DATA-NPY-DTYPE", () => parseNpy(npy(dict(descr, "(2,)"), data), "a.npy"));
    expect(error.message).toMatch(message);
  });

  it("a structured dtype, naming its fields", async () => {
    const header = "{'descr': [('a', '<f4'), ('b', '<i2', (2,))], 'fortran_order': False, 'shape': (1,), }";
    const error = await expectCode("DATA-NPY-DTYPE", () => parseNpy(npy(header, data), "a.npy"));
    expect(error.message).toContain("structured dtype [('a', '<f4'), ('b', '<i2', (2,))]");
  });

  it("an int64 beyond 2^53 − 1, at its coordinates in either order", async () => {
    const six = `${"00".repeat(24)}0000000000002000${"00".repeat(16)}`; // element 3 of 6 is 2^53
    const c = await expectCode("DATA-RANGE", () => parseNpy(npy(dict("<i8", "(2, 3)"), six), "a"));
    expect(c.detail.index).toEqual([1, 0]);
    expect(c.message).toContain("9007199254740992");
    const fortran = await expectCode("DATA-RANGE", () => parseNpy(npy(dict("<i8", "(2, 3)", "True"), six), "a"));
    expect(fortran.detail.index).toEqual([1, 1]);
  });
});

describe("toFloat32", () => {
  const f64 = (values: number[], shape: number[]) => parseNpy(encodeNpy(new Float64Array(values), shape), "a.npy");

  it("says nothing where nothing is lost", () => {
    const exact = toFloat32(f64([1, -0.5, 2 ** -149, 0], [2, 2]));
    expect(exact).toMatchObject({ roundedCount: 0, maxRelativeError: 0, notes: [], shape: [2, 2] });
    const integers = parseNpy(encodeNpy(new Int32Array([2 ** 24, -3]), [2]), "a.npy");
    expect(toFloat32(integers).data).toEqual(new Float32Array([2 ** 24, -3]));
  });

  it("notes rounding, to nearest", () => {
    const result = toFloat32(f64([0.1, 1, 1 + 2 ** -24, 1e-60], [4]));
    expect(result.data).toEqual(new Float32Array([Math.fround(0.1), 1, 1, 0]));
    expect(result.roundedCount).toBe(3);
    expect(result.maxRelativeError).toBe(1); // 1e-60 became 0
    expect(result.notes[0]).toMatch(/^3 of the 4 elements of "a\.npy" \(f8\) were rounded/);
    expect(toFloat32(f64([0.1], [1])).maxRelativeError).toBeLessThanOrEqual(2 ** -24);
  });

  it("names the first NaN or infinity by its coordinates", async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const values = [0, 1, 2, 3, bad, Number.NaN];
      const error = await expectCode("DATA-NONFINITE", () => toFloat32(f64(values, [2, 3])));
      expect(error.detail.index).toEqual([1, 1]);
      expect(error.message).toContain(String(bad));
      const f32 = parseNpy(encodeNpy(new Float32Array(values), [1, 2, 3]), "a.npy");
      const again = await expectCode("DATA-NONFINITE", () => toFloat32(f32, { allowNonFinite: false }));
      expect(again.detail.index).toEqual([0, 1, 1]);
    }
    const scalar = await expectCode("DATA-NONFINITE", () => toFloat32(f64([Number.NaN], [])));
    expect(scalar.detail.index).toEqual([]);
  });

  it("lets them through when told, but no overflow", async () => {
    const allowed = toFloat32(f64([Number.NaN, Number.POSITIVE_INFINITY], [2]), { allowNonFinite: true });
    expect(allowed).toMatchObject({ roundedCount: 0, data: new Float32Array([Number.NaN, Number.POSITIVE_INFINITY]) });
    const error = await expectCode("DATA-RANGE", () => toFloat32(f64([0, 1e39], [2]), { allowNonFinite: true }));
    expect(error.detail.index).toEqual([1]);
    expect(toFloat32(f64([3.4028234663852886e38], [1])).roundedCount).toBe(0);
  });
});

describe("readMatrixF32", () => {
  const source = (bytes: Uint8Array) => memorySource("m.npy", bytes);

  it("reads a matrix", async () => {
    expect(await readMatrixF32(source(F4_2X3))).toMatchObject({ name: "m.npy", rows: 2, columns: 3, notes: [] });
    expect((await readNpy(source(F4_2X3))).shape).toEqual([2, 3]);
  });

  it("refuses other ranks, empty matrices and NaN", async () => {
    for (const shape of [[], [6], [1, 2, 3]]) {
      const count = shape.reduce((a, b) => a * b, 1);
      await expectCode("DATA-NPY-RANK", () => readMatrixF32(source(encodeNpy(new Float32Array(count), shape))));
    }
    await expectCode("DATA-EMPTY", () => readMatrixF32(source(encodeNpy(new Float32Array(0), [0, 3]))));
    await expectCode("DATA-EMPTY", () => readMatrixF32(source(encodeNpy(new Float32Array(0), [3, 0]))));
    const bad = encodeNpy(new Float32Array([1, Number.NaN]), [2, 1]);
    await expectCode("DATA-NONFINITE", () => readMatrixF32(source(bad)));
    expect((await readMatrixF32(source(bad), { allowNonFinite: true })).rows).toBe(2);
  });
});
