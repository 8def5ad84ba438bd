// Where bytes come from: a file or a folder, whatever holds it (memory here; Node in src/cli/nodeFiles.ts; HTTP in httpFiles.ts).
// Readers see only these two interfaces, so that the same parser runs in a page and in Node.

import { dataError } from "./dataError.ts";

/** Random access to one file, whatever holds it. */
export interface ByteSource {
  /** File name, for messages. */
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * Bytes `[offset, offset + length)`. The array may be a view of the source's own memory: do not write to it.
   * @throws EngineError DATA-OUT-OF-RANGE when the range leaves the file.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A flat set of files. */
export interface DataFolder {
  /** Path or address, for messages. */
  readonly name: string;
  /** Names of the entries directly inside, in no particular order; the name of a subfolder ends with "/". */
  list(): Promise<string[]>;
  /** @throws EngineError DATA-NOT-FOUND when there is no such file. */
  open(name: string): Promise<ByteSource>;
}

/** A file held in memory; `bytes` is not copied. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  const source: ByteSource = {
    name,
    sizeBytes: bytes.byteLength,
    async read(offset, length) {
      assertRange(source, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
  return source;
}

/**
 * A folder held in memory.
 *
 * @param files      content by file name; not copied
 * @param subfolders names listed as subfolders (they cannot be opened)
 */
export function memoryFolder(
  name: string,
  files: Readonly<Record<string, Uint8Array>>,
  subfolders: readonly string[] = [],
): DataFolder {
  const held = new Map(Object.entries(files));
  return {
    name,
    async list() {
      return [...held.keys(), ...subfolders.map((folder) => `${folder}/`)];
    },
    async open(fileName) {
      const bytes = held.get(fileName);
      if (bytes === undefined) throw notFound(fileName, name);
      return memorySource(fileName, bytes);
    },
  };
}

/** DATA-NOT-FOUND of one file in a folder, in the same words for every kind of folder. */
export function notFound(fileName: string, folderName: string, cause?: unknown) {
  return dataError(
    "DATA-NOT-FOUND",
    fileName,
    `There is no file "${fileName}" in "${folderName}".`,
    "Check the path, or put the file there.",
    { folder: folderName },
    cause,
  );
}

/** @throws EngineError DATA-OUT-OF-RANGE unless `[offset, offset + length)` lies inside the file. */
export function assertRange(source: { name: string; sizeBytes: number }, offset: number, length: number): void {
  const isInside =
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    offset + length <= source.sizeBytes;
  if (isInside) return;
  throw dataError(
    "DATA-OUT-OF-RANGE",
    source.name,
    `Bytes ${offset} to ${offset + length} were asked of "${source.name}", which holds ${source.sizeBytes}.`,
    "Ask for a range inside the file.",
    { offset, length, sizeBytes: source.sizeBytes },
  );
}

/**
 * `source.read` that never returns fewer bytes than asked.
 * @throws EngineError DATA-TRUNCATED when the file ends early (it shrank, or a transfer was cut).
 */
export async function readExactly(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await source.read(offset, length);
  if (bytes.byteLength === length) return bytes;
  throw shortRead(source.name, offset, length, bytes.byteLength);
}

/** DATA-TRUNCATED of a read that brought another number of bytes than asked. */
export function shortRead(name: string, offset: number, length: number, got: number) {
  return dataError(
    "DATA-TRUNCATED",
    name,
    `Reading ${length} bytes at offset ${offset} of "${name}" brought ${got}.`,
    "Check that the file is complete and is not being written, then try again.",
    { offset, length, got },
  );
}

/** Reads `target.byteLength` bytes at `offset` in pieces, so that no second copy of a large file exists at any time. */
export async function readInto(source: ByteSource, offset: number, target: Uint8Array): Promise<void> {
  for (let done = 0; done < target.byteLength; done += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, target.byteLength - done);
    target.set(await readExactly(source, offset + done, length), done);
  }
}

/** Bytes per read: large enough that a range request's latency does not matter, small beside a data set. */
const PIECE_BYTES = 8 << 20;
