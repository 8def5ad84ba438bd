// Files on disk as the data layer's ByteSource and DataFolder. Positional reads; a file is open only while it is read,
// so there is no handle to close and none to leak.

import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { assertRange, type ByteSource, type DataFolder, notFound } from "../data/byteSource.ts";
import { EngineError } from "../errors.ts";

/**
 * Opens a file for random access.
 * @throws EngineError DATA-NOT-FOUND, DATA-UNREADABLE (no permission, or not a file)
 */
export async function nodeSource(path: string): Promise<ByteSource> {
  const name = basename(path);
  const info = await stat(path).catch((cause: unknown) => {
    throw readFailure(path, cause);
  });
  if (!info.isFile()) {
    throw new EngineError({
      code: "DATA-UNREADABLE",
      message: `"${path}" is ${info.isDirectory() ? "a folder" : "not a regular file"}.`,
      fix: "Give the path of a file.",
      where: name,
    });
  }
  const source: ByteSource = {
    name,
    sizeBytes: info.size,
    async read(offset, length) {
      assertRange(source, offset, length);
      let handle: FileHandle | undefined;
      try {
        handle = await open(path, "r");
        return await readAt(handle, offset, length);
      } catch (cause) {
        throw readFailure(path, cause);
      } finally {
        await handle?.close();
      }
    },
  };
  return source;
}

/**
 * A folder on disk. `open` takes plain names only, so a name that comes from elsewhere cannot leave the folder.
 * @throws EngineError DATA-NOT-FOUND, DATA-UNREADABLE, DATA-NAME from its methods
 */
export function nodeFolder(path: string): DataFolder {
  return {
    name: path,
    async list() {
      const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
        throw readFailure(path, cause);
      });
      return Promise.all(
        entries.map(async (entry) => {
          const isFolder = entry.isSymbolicLink()
            ? await stat(join(path, entry.name)).then(
                (info) => info.isDirectory(),
                () => false,
              )
            : entry.isDirectory();
          return isFolder ? `${entry.name}/` : entry.name;
        }),
      );
    },
    async open(name) {
      if (name === "" || name === "." || name === ".." || /[/\\\0]/.test(name)) {
        throw new EngineError({
          code: "DATA-NAME",
          message: `${JSON.stringify(name)} is not a plain file name.`,
          fix: "Give the name of a file directly inside the folder.",
          where: path,
        });
      }
      return nodeSource(join(path, name));
    },
  };
}

/** Up to `length` bytes: fewer only when the file has shrunk, which the caller's `readExactly` reports. */
async function readAt(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) return bytes.subarray(0, done);
    done += bytesRead;
  }
  return bytes;
}

function readFailure(path: string, cause: unknown): EngineError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "ENOENT" || code === "ENOTDIR") return notFound(basename(path), dirname(path), cause);
  const reason = cause instanceof Error ? cause.message : String(cause);
  const remedies: Readonly<Record<string, string>> = {
    EACCES: `Give yourself permission to read it, for example with "chmod u+r".`,
    EPERM: `Give yourself permission to read it, for example with "chmod u+r".`,
    EMFILE: "Close other files or raise the limit of open files (ulimit -n).",
    EISDIR: "Give the path of a file.",
  };
  return new EngineError({
    code: "DATA-UNREADABLE",
    message: `"${path}" could not be read: ${reason}.`,
    fix: remedies[code] ?? "Check the disk and the path, then try again.",
    where: basename(path),
    cause,
    detail: { systemCode: code },
  });
}
