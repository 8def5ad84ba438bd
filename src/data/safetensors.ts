/**
 * The safetensors format, read and written: an 8-byte little-endian header length, a JSON header with dtype, shape and byte range of every
 * tensor (ranges relative to the header's end, contiguous, in order), then the data.
 * Source: https://github.com/huggingface/safetensors, README "Format".
 */
import { dataError } from "./dataError.ts";

export type SafetensorData = Float32Array | Uint32Array;

export interface Safetensor {
  readonly shape: readonly number[];
  readonly data: SafetensorData;
}

export interface SafetensorsFile {
  readonly tensors: Readonly<Record<string, Safetensor>>;
  /** Strings beside the tensors (`__metadata__`). */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Header lengths beyond this are damage, not data (the reference implementation's limit). */
const MAX_HEADER_BYTES = 100_000_000;

const DTYPES = { F32: Float32Array, U32: Uint32Array } as const;

/** Bytes of a safetensors file; tensors in the order of the keys, the header padded with spaces to a multiple of 8. */
export function encodeSafetensors({ tensors, metadata }: SafetensorsFile): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const start = end;
    end += data.byteLength;
    header[name] = { dtype: data instanceof Float32Array ? "F32" : "U32", shape, data_offsets: [start, end] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(text.byteLength / 8) * 8;
  const bytes = new Uint8Array(8 + headerBytes + end).fill(0x20, 8, 8 + headerBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.set(text, 8);
  let at = 8 + headerBytes;
  for (const { data } of Object.values(tensors)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * @param name file name for messages
 * @throws EngineError DATA-SAFETENSORS for a damaged or foreign file, DATA-TRUNCATED when data is missing
 */
export function parseSafetensors(bytes: Uint8Array, name: string): SafetensorsFile {
  const damaged = (why: string) =>
    dataError(
      "DATA-SAFETENSORS",
      name,
      `${name} is not a sound safetensors file: ${why}.`,
      "Use the file as it was written.",
    );
  if (bytes.byteLength < 8) throw damaged(`it has ${bytes.byteLength} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > bytes.byteLength) {
    throw damaged(`its header claims ${headerBytes} bytes of a file of ${bytes.byteLength}`);
  }
  const header = parseHeader(bytes.subarray(8, 8 + headerBytes));
  if (!header) throw damaged("its header is not a JSON object");
  const body = bytes.subarray(8 + headerBytes);
  const tensors: Record<string, Safetensor> = {};
  const ranges: { key: string; start: number; end: number }[] = [];
  for (const [key, entry] of Object.entries(header)) {
    if (key === "__metadata__") continue;
    const { dtype, shape, start, end } = tensorEntry(entry) ?? {};
    if (dtype === undefined || !shape || start === undefined || end === undefined) {
      throw damaged(`tensor ${key} has no dtype, shape and data_offsets`);
    }
    ranges.push({ key, start, end });
    // PyTorch's counters of batches, the only integers in its models' files, are passed over.
    if (dtype === "I64" && /(?:^|\.)num_batches_tracked$/.test(key)) continue;
    const array = dtype === "F32" || dtype === "U32" ? DTYPES[dtype] : undefined;
    if (!array) {
      throw dataError(
        "DATA-SAFETENSORS",
        name,
        `In ${name}, tensor ${key} has dtype ${dtype}; F32 and U32 are read.`,
        "Save the model in float32.",
      );
    }
    const elements = shape.reduce((product, extent) => product * extent, 1);
    if (end - start !== 4 * elements) throw damaged(`tensor ${key} of shape [${shape}] has ${end - start} bytes`);
    if (end > body.byteLength) {
      throw dataError(
        "DATA-TRUNCATED",
        name,
        `${name} ends after ${body.byteLength} bytes of data; tensor ${key} needs ${end}.`,
        "Copy the file again.",
      );
    }
    tensors[key] = { shape, data: new array(body.slice(start, end).buffer) };
  }
  // Without holes and overlaps, as the format asks for: a header that says otherwise belongs to other data.
  let position = 0;
  for (const { key, start, end } of ranges.sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== position) throw damaged(`tensor ${key} begins at byte ${start} of the data, not at ${position}`);
    position = end;
  }
  if (position !== body.byteLength) throw damaged(`${body.byteLength - position} bytes follow the last tensor`);
  return { tensors, metadata: stringValues(header.__metadata__) };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function tensorEntry(entry: unknown) {
  if (typeof entry !== "object" || entry === null) return undefined;
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (typeof dtype !== "string" || !Array.isArray(shape) || !shape.every(isCount)) return undefined;
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) return undefined;
  const [start = 0, end = 0] = offsets;
  return start > end ? undefined : { dtype, shape: shape as number[], start, end };
}

function stringValues(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
