/** Sends files to the page: the built page whole, data files by range. Names are plain names, checked by the caller. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join } from "node:path";
import { pipeline } from "node:stream/promises";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".map": "application/json",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".bin": "application/octet-stream",
};

/** A plain file name, "" for an empty segment at the end, or undefined for anything that could leave a folder. */
export function plainName(segment: string): string | undefined {
  try {
    const name = decodeURIComponent(segment);
    return name === "." || name === ".." || /[/\\\0]/.test(name) ? undefined : name;
  } catch {
    return undefined;
  }
}

/** A file of the built page; only types that a page is made of. */
export async function serveStatic(response: ServerResponse, root: string, names: readonly string[]): Promise<void> {
  const path = join(root, ...names);
  const type = TYPES[extname(path)];
  const info = type === undefined ? undefined : await stat(path).catch(() => undefined);
  if (type === undefined || !info?.isFile()) return notFound(response);
  response.writeHead(200, { "Content-Type": type, "Content-Length": info.size });
  await pipeline(createReadStream(path), response);
}

/** A file of the data folder: the range asked for (206), or all of it (200). */
export async function serveDataFile(
  request: IncomingMessage,
  response: ServerResponse,
  folder: string,
  name: string,
): Promise<void> {
  const path = join(folder, name);
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) return notFound(response);
  const header = request.headers.range;
  const range = header === undefined ? { first: 0, last: info.size - 1 } : parseRange(header, info.size);
  if (!range) {
    response.writeHead(416, { "Content-Range": `bytes */${info.size}` }).end();
    return;
  }
  response.writeHead(header === undefined ? 200 : 206, {
    "Content-Type": "application/octet-stream",
    "Content-Length": range.last - range.first + 1,
    "Accept-Ranges": "bytes",
    ...(header === undefined ? {} : { "Content-Range": `bytes ${range.first}-${range.last}/${info.size}` }),
  });
  if (range.last < range.first) response.end();
  else await pipeline(createReadStream(path, { start: range.first, end: range.last }), response);
}

/** `bytes=first-last` with at least one byte inside the file; the end is cut to the file. */
function parseRange(header: string, sizeBytes: number): { readonly first: number; readonly last: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header.trim());
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Math.min(match[2] === "" ? sizeBytes - 1 : Number(match[2]), sizeBytes - 1);
  return first <= last ? { first, last } : undefined;
}

function notFound(response: ServerResponse): void {
  response.writeHead(404, { "Content-Type": "text/plain" }).end("no such file");
}
