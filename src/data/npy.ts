// Reader and writer of NumPy's .npy files.
// Source: numpy.lib.format, versions 1.0 to 3.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

import { type ByteSource, readInto } from "./byteSource.ts";
import { dataError } from "./dataError.ts";
import { MAX_RANK, parseNpyHeader } from "./npyHeader.ts";

/** Element types that are read; `i8` arrives as float64 numbers. */
export type NpyDtype = "f4" | "f8" | "u1" | "i4" | "u4" | "i8";

export type NpyData =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>;

/** An array read from a file, in C order (last axis fastest) whatever the file's order was. */
export interface NpyArray {
  /** File name, for messages. */
  readonly name: string;
  /** Type in the file. `i8` (int64) is held as Float64Array, exactly. */
  readonly dtype: NpyDtype;
  /** Empty for a scalar. */
  readonly shape: readonly number[];
  readonly data: NpyData;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // "\x93NUMPY"
const ALIGN = 64; // numpy.lib.format.ARRAY_ALIGN
const GROWTH_AXIS_DIGITS = 21; // numpy.lib.format.GROWTH_AXIS_MAX_DIGITS: room to edit the size of the growing axis in place
const HOST_IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const ITEM_BYTES: Readonly<Record<NpyDtype, number>> = { f4: 4, f8: 8, u1: 1, i4: 4, u4: 4, i8: 8 };
/** Names and remedies of the type codes that are not read. */
const UNREAD_TYPES: readonly (readonly [pattern: RegExp, name: string, fix: string])[] = [
  [/^\|?O/, "object", "Save a plain numeric array instead of Python objects."],
  [/^[<>=|]?c/, "complex", "Save the real and the imaginary part as two real arrays."],
  [/^[<>=|]?[SUa]/, "string", "Save a numeric array."],
  [/^[<>=|]?[mM]/, "date or time", "Save a numeric array, for example array.astype(np.float64)."],
  [/^[<>=|]?V/, "structured or void", "Save one plain numeric array per field."],
];

/**
 * Parses a whole `.npy` file.
 *
 * @param bytes the file
 * @param name  its name, for messages
 * @returns the array in C order; `data` is a fresh copy, never a view of `bytes`
 * @throws EngineError DATA-NPY-MAGIC, DATA-NPY-VERSION, DATA-NPY-HEADER, DATA-NPY-DTYPE (unsupported type, named),
 *         DATA-TRUNCATED, DATA-TRAILING, DATA-RANGE (an int64 beyond ±(2⁵³ − 1))
 */
export function parseNpy(bytes: Uint8Array, name: string): NpyArray {
  const { headerText, dataOffset } = splitNpy(bytes, name);
  const header = parseNpyHeader(headerText, name);
  const { dtype, isLittle } = parseDtype(header.descr, header.isStructured, name);
  const { shape, fortranOrder } = header;

  const count = elementCount(shape);
  const expectedBytes = count * ITEM_BYTES[dtype];
  const presentBytes = bytes.byteLength - dataOffset;
  if (presentBytes !== expectedBytes) {
    const missing = expectedBytes - presentBytes;
    throw dataError(
      missing > 0 ? "DATA-TRUNCATED" : "DATA-TRAILING",
      name,
      `"${name}" has ${presentBytes} bytes of data; its shape ${shapeText(shape)} of ${dtype} takes ${expectedBytes}: ` +
        (missing > 0 ? `${missing} are missing.` : `${-missing} too many.`),
      "Save or copy the file again.",
      { shape, dtype, expectedBytes, presentBytes },
    );
  }
  const data = decode(bytes, dataOffset, dtype, isLittle, shape, fortranOrder, name);
  const isReordered = fortranOrder && shape.length > 1 && count > 0;
  return { name, dtype, shape, data: isReordered ? fortranToC(data, shape) : data };
}

/** Reads a whole `.npy` file. See `parseNpy`. */
export async function readNpy(source: ByteSource): Promise<NpyArray> {
  const bytes = new Uint8Array(source.sizeBytes);
  await readInto(source, 0, bytes);
  return parseNpy(bytes, source.name);
}

/**
 * Writes format 1.0 with the bytes numpy.save would write for a C-ordered array.
 *
 * @param data  elements in C order, written as `<f4`, `<f8`, `|u1`, `<i4` or `<u4`
 * @param shape sizes; `[]` for a scalar
 * @throws EngineError DATA-NPY-SHAPE when the product of the sizes is not `data.length`
 */
export function encodeNpy(
  data: Float32Array | Float64Array | Uint8Array | Int32Array | Uint32Array,
  shape: readonly number[],
): Uint8Array<ArrayBuffer> {
  const isShape = shape.length <= MAX_RANK && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!isShape || elementCount(shape) !== data.length) {
    throw dataError(
      "DATA-NPY-SHAPE",
      "encodeNpy",
      `The shape ${shapeText(shape)} does not describe an array of ${data.length} elements.`,
      "Give sizes whose product is the number of elements.",
      { shape, length: data.length },
    );
  }
  const tuple = shapeText(shape);
  const growthRoom = shape.length === 0 ? 0 : GROWTH_AXIS_DIGITS - String(shape[0]).length;
  const dict = `{'descr': '${typeCode(data)}', 'fortran_order': False, 'shape': ${tuple}, }${" ".repeat(growthRoom)}`;
  const prefixBytes = MAGIC.length + 4;
  // Like numpy: a header that would end on the border gets a whole line of spaces.
  const padding = ALIGN - ((prefixBytes + dict.length + 1) % ALIGN);
  const header = `${dict}${" ".repeat(padding)}\n`;

  const dataOffset = prefixBytes + header.length;
  const file = new Uint8Array(dataOffset + data.byteLength);
  file.set(MAGIC);
  file[6] = 1; // version 1.0
  new DataView(file.buffer).setUint16(8, header.length, true);
  file.set(new TextEncoder().encode(header), prefixBytes);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), dataOffset);
  if (!HOST_IS_LITTLE) swapBytes(file.subarray(dataOffset), data.BYTES_PER_ELEMENT);
  return file;
}

/** What became of the elements on the way to float32. */
export interface Float32Conversion {
  readonly data: Float32Array<ArrayBuffer>;
  readonly shape: readonly number[];
  /** Elements that float32 cannot hold exactly. */
  readonly roundedCount: number;
  /** Largest |x − f32(x)| / |x|; 0 where nothing was rounded, 1 where a tiny number became 0. */
  readonly maxRelativeError: number;
  /** Sentences for the user: what was lost. Empty where nothing was. */
  readonly notes: readonly string[];
}

/**
 * Converts to float32, rounding to nearest, and says what was lost.
 *
 * @param allowNonFinite lets NaN and infinities through; an error unless told
 * @throws EngineError DATA-NONFINITE (coordinates of the first NaN or infinity), DATA-RANGE (too large for float32)
 */
export function toFloat32(npy: NpyArray, options: { readonly allowNonFinite?: boolean } = {}): Float32Conversion {
  const { data: source, shape, name } = npy;
  const allowNonFinite = options.allowNonFinite ?? false;
  const data = source instanceof Float32Array ? source : new Float32Array(source);
  let roundedCount = 0;
  let maxRelativeError = 0;
  for (let i = 0; i < source.length; i++) {
    const value = source[i] as number;
    const rounded = data[i] as number;
    if (!Number.isFinite(value)) {
      if (!allowNonFinite) throw nonFinite(name, value, coordinates(i, shape));
    } else if (rounded !== value) {
      if (!Number.isFinite(rounded)) throw tooLarge(name, value, coordinates(i, shape), "float32");
      roundedCount++;
      maxRelativeError = Math.max(maxRelativeError, Math.abs((value - rounded) / value));
    }
  }
  const notes =
    roundedCount === 0
      ? []
      : [
          `${roundedCount} of the ${source.length} elements of "${name}" (${npy.dtype}) were rounded to float32, ` +
            `by at most ${maxRelativeError.toExponential(1)} of their value.`,
        ];
  return { data, shape, roundedCount, maxRelativeError, notes };
}

/** A float32 matrix `[rows, columns]` in C order. */
export interface MatrixF32 extends Float32Conversion {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Reads a `.npy` file that must hold a matrix.
 * @throws EngineError DATA-NPY-RANK (not two axes), DATA-EMPTY (an axis of size 0), and those of `parseNpy`, `toFloat32`
 */
export async function readMatrixF32(
  source: ByteSource,
  options: { readonly allowNonFinite?: boolean } = {},
): Promise<MatrixF32> {
  const npy = await readNpy(source);
  const [rows, columns] = npy.shape;
  if (npy.shape.length !== 2 || rows === undefined || columns === undefined) {
    throw dataError(
      "DATA-NPY-RANK",
      npy.name,
      `"${npy.name}" has ${npy.shape.length} axes, shape ${shapeText(npy.shape)}; a matrix has 2.`,
      "Save a two-dimensional array, for example array.reshape(len(array), -1).",
      { shape: npy.shape },
    );
  }
  if (rows === 0 || columns === 0) {
    throw dataError(
      "DATA-EMPTY",
      npy.name,
      `"${npy.name}" has shape ${shapeText(npy.shape)}, hence no element.`,
      "Save a matrix with at least one row and one column.",
      { shape: npy.shape },
    );
  }
  return { ...toFloat32(npy, options), name: npy.name, rows, columns };
}

function splitNpy(bytes: Uint8Array, name: string): { headerText: string; dataOffset: number } {
  if (bytes.byteLength < MAGIC.length || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    const start = Array.from(bytes.subarray(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b;
    throw dataError(
      "DATA-NPY-MAGIC",
      name,
      `"${name}" starts with ${start || "nothing (it is empty)"}, not with 93 4e 55 4d 50 59 of a .npy file${isZip ? " (it is a zip, perhaps .npz)" : ""}.`,
      isZip ? "Save the one array with numpy.save instead of numpy.savez." : "Give a file that numpy.save wrote.",
      { start },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes.byteLength >= 8 ? `${bytes[6]}.${bytes[7]}` : undefined;
  if (version !== undefined && !["1.0", "2.0", "3.0"].includes(version)) {
    throw dataError(
      "DATA-NPY-VERSION",
      name,
      `"${name}" has .npy format version ${version}; 1.0, 2.0 and 3.0 are read.`,
      "Write the file again with numpy.save.",
      { version },
    );
  }
  const textOffset = version === "1.0" ? 10 : 12;
  const isPrefixWhole = version !== undefined && bytes.byteLength >= textOffset;
  const headerBytes = !isPrefixWhole ? 0 : version === "1.0" ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataOffset = textOffset + headerBytes;
  if (!isPrefixWhole || bytes.byteLength < dataOffset) {
    throw dataError(
      "DATA-TRUNCATED",
      name,
      `"${name}" has ${bytes.byteLength} bytes and ends inside its header, which takes ${isPrefixWhole ? dataOffset : `at least ${textOffset}`}.`,
      "Save or copy the file again.",
      { sizeBytes: bytes.byteLength, headerBytes },
    );
  }
  // 1.0 and 2.0 are Latin-1, 3.0 is UTF-8; they differ only in field names of structured dtypes, which are not read.
  const decoder = new TextDecoder(version === "3.0" ? "utf-8" : "latin1");
  return { headerText: decoder.decode(bytes.slice(textOffset, dataOffset)), dataOffset };
}

function parseDtype(descr: string, isStructured: boolean, name: string): { dtype: NpyDtype; isLittle: boolean } {
  const match = isStructured ? null : /^([<>|])(f4|f8|u1|i4|u4|i8)$/.exec(descr);
  const dtype = match?.[2] as NpyDtype | undefined;
  // "|" means that byte order does not apply: right for one byte only.
  if (dtype !== undefined && (match?.[1] !== "|" || dtype === "u1")) return { dtype, isLittle: match?.[1] !== ">" };
  const known = isStructured ? undefined : UNREAD_TYPES.find(([pattern]) => pattern.test(descr));
  const kind = isStructured ? "structured" : known?.[1];
  throw dataError(
    "DATA-NPY-DTYPE",
    name,
    `"${name}" holds elements of ${kind ? `${kind} ` : ""}dtype ${descr}; f4, f8, u1, i4, u4 and i8 are read.`,
    isStructured
      ? "Save one plain numeric array per field."
      : (known?.[2] ?? "Convert it before saving, for example array.astype(np.float32)."),
    { descr },
  );
}

function decode(
  bytes: Uint8Array,
  dataOffset: number,
  dtype: NpyDtype,
  isLittle: boolean,
  shape: readonly number[],
  fortranOrder: boolean,
  name: string,
): NpyData {
  const raw = new Uint8Array(bytes.byteLength - dataOffset);
  raw.set(bytes.subarray(dataOffset));
  if (isLittle !== HOST_IS_LITTLE) swapBytes(raw, ITEM_BYTES[dtype]);
  switch (dtype) {
    case "f4":
      return new Float32Array(raw.buffer);
    case "f8":
      return new Float64Array(raw.buffer);
    case "u1":
      return raw;
    case "i4":
      return new Int32Array(raw.buffer);
    case "u4":
      return new Uint32Array(raw.buffer);
    case "i8":
      return Float64Array.from(new BigInt64Array(raw.buffer), (value, i) => {
        const number = Number(value);
        if (Number.isSafeInteger(number)) return number;
        throw tooLarge(name, value, coordinates(i, shape, fortranOrder), "a number (beyond ±(2^53 − 1))");
      });
  }
}

function swapBytes(bytes: Uint8Array, itemBytes: number): void {
  if (itemBytes === 1) return;
  for (let start = 0; start < bytes.length; start += itemBytes) bytes.subarray(start, start + itemBytes).reverse();
}

/** Reorders from first-axis-fastest to last-axis-fastest. Walks the output; `from` follows by strides. */
function fortranToC(data: NpyData, shape: readonly number[]): NpyData {
  const out = data.slice() as NpyData;
  const strides: number[] = [];
  let stride = 1;
  for (const size of shape) {
    strides.push(stride);
    stride *= size;
  }
  const position = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (position[axis] as number) + 1;
      from += strides[axis] as number;
      if (next < (shape[axis] as number)) {
        position[axis] = next;
        break;
      }
      from -= next * (strides[axis] as number);
      position[axis] = 0;
    }
  }
  return out;
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Coordinates of element `index` of an array in C order, or in Fortran order. */
function coordinates(index: number, shape: readonly number[], fortranOrder = false): number[] {
  const sizes = fortranOrder ? shape : shape.toReversed();
  let rest = index;
  const result = sizes.map((size) => {
    const coordinate = rest % size;
    rest = Math.floor(rest / size);
    return coordinate;
  });
  return fortranOrder ? result : result.reverse();
}

function nonFinite(name: string, value: number, index: readonly number[]) {
  return dataError(
    "DATA-NONFINITE",
    name,
    `Element [${index.join(", ")}] of "${name}" is ${value}.`,
    "Remove or replace NaN and infinities before saving the array, for example with numpy.nan_to_num.",
    { index, value: String(value) },
  );
}

function tooLarge(name: string, value: number | bigint, index: readonly number[], target: string) {
  return dataError(
    "DATA-RANGE",
    name,
    `Element [${index.join(", ")}] of "${name}" is ${value}, too large for ${target}.`,
    "Scale the array before saving it.",
    { index, value: String(value) },
  );
}

function typeCode(data: Float32Array | Float64Array | Uint8Array | Int32Array | Uint32Array): string {
  if (data instanceof Float32Array) return "<f4";
  if (data instanceof Float64Array) return "<f8";
  if (data instanceof Int32Array) return "<i4";
  return data instanceof Uint32Array ? "<u4" : "|u1";
}

/** As Python prints a tuple: `()`, `(3,)`, `(3, 4)`. */
function shapeText(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}
