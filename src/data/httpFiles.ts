// Files behind HTTP: every read is one range request, so a page loads only the images it trains on.

import { assertRange, type ByteSource, type DataFolder, notFound, shortRead } from "./byteSource.ts";
import { dataError } from "./dataError.ts";

export interface HttpOptions {
  /** Sent with every request, e.g. an authorization token. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Aborts requests under way. */
  readonly signal?: AbortSignal;
  /** Stands in for the global `fetch`, for tests. */
  readonly fetch?: typeof fetch;
}

export interface HttpFolderOptions extends HttpOptions {
  /** Names of the files, where the server cannot list them (a static site). */
  readonly names?: readonly string[];
}

/**
 * A folder behind HTTP. Its list is `names`, or else what `GET baseUrl/` answers: a JSON array of strings, the names of
 * subfolders ending with "/".
 *
 * @throws EngineError DATA-UNREADABLE, DATA-HTTP-STATUS, DATA-HTTP-LIST from `list()`
 */
export function httpFolder(baseUrl: string, options: HttpFolderOptions = {}): DataFolder {
  const base = baseUrl.replace(/\/+$/, "");
  return {
    name: base,
    async list() {
      if (options.names !== undefined) return [...options.names];
      const response = await request(`${base}/`, base, options, { Accept: "application/json" });
      const names: unknown = await response.json().catch(() => undefined);
      if (response.ok && Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
      throw dataError(
        response.ok ? "DATA-HTTP-LIST" : "DATA-HTTP-STATUS",
        base,
        response.ok
          ? `${base}/ does not answer with a JSON array of file names.`
          : `${base}/ answers with status ${response.status} ${response.statusText}.`,
        "Use a server that lists the folder as a JSON array, or give the file names.",
        { status: response.status },
      );
    },
    open(name) {
      return httpSource(`${base}/${encodeURIComponent(name)}`, { ...options, name, folder: base });
    },
  };
}

/**
 * Opens a file behind HTTP by asking for its first byte, which shows its size and that the server answers range requests.
 *
 * @throws EngineError DATA-NOT-FOUND (404), DATA-HTTP-STATUS, DATA-HTTP-NO-RANGE (the server ignores `Range`),
 *         DATA-UNREADABLE (no answer); reads may also throw DATA-TRUNCATED and DATA-CHANGED
 */
export async function httpSource(
  url: string,
  options: HttpOptions & { readonly name?: string; readonly folder?: string } = {},
): Promise<ByteSource> {
  const name = options.name ?? url;
  const folder = options.folder ?? url.slice(0, url.lastIndexOf("/"));
  const probe = await rangeRequest(url, name, folder, options, 0, 1);
  await probe.response.body?.cancel();
  const sizeBytes = probe.totalBytes;
  const source: ByteSource = {
    name,
    sizeBytes,
    async read(offset, length) {
      assertRange(source, offset, length);
      if (length === 0) return new Uint8Array(0);
      const { response, totalBytes, first, last } = await rangeRequest(url, name, folder, options, offset, length);
      if (totalBytes !== sizeBytes) {
        throw dataError(
          "DATA-CHANGED",
          name,
          `"${name}" had ${sizeBytes} bytes when it was opened and has ${totalBytes} now.`,
          "Leave the file unchanged while it is read, and start again.",
          { sizeBytes, totalBytes },
        );
      }
      const body = await response.arrayBuffer().catch((cause: unknown) => {
        options.signal?.throwIfAborted();
        throw unreadable(url, name, cause);
      });
      if (first !== offset || last !== offset + length - 1 || body.byteLength !== length) {
        throw shortRead(name, offset, length, Math.min(body.byteLength, last - first + 1));
      }
      return new Uint8Array(body);
    },
  };
  return source;
}

interface RangeAnswer {
  readonly response: Response;
  readonly totalBytes: number;
  readonly first: number;
  readonly last: number;
}

async function rangeRequest(
  url: string,
  name: string,
  folder: string,
  options: HttpOptions,
  offset: number,
  length: number,
): Promise<RangeAnswer> {
  const response = await request(url, name, options, { Range: `bytes=${offset}-${offset + length - 1}` });
  const contentRange = response.headers.get("Content-Range") ?? "";
  // An empty file has no first byte: the answer is 416 with "bytes */0".
  if (response.status === 416 && /^bytes \*\/0$/.test(contentRange)) {
    return { response, totalBytes: 0, first: 0, last: -1 };
  }
  if (response.status === 200) {
    await response.body?.cancel();
    throw dataError(
      "DATA-HTTP-NO-RANGE",
      name,
      `The server of "${url}" ignores the Range header (it answers 200 with the whole file, not 206).`,
      "Use a server that supports range requests.",
      { status: 200 },
    );
  }
  if (response.status !== 206) {
    await response.body?.cancel();
    if (response.status === 404) throw notFound(name, folder);
    throw dataError(
      "DATA-HTTP-STATUS",
      name,
      `"${url}" answers bytes ${offset} to ${offset + length - 1} with status ${response.status} ${response.statusText}.`,
      "Check the address and the server's log.",
      { status: response.status },
    );
  }
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange);
  if (match === null) {
    await response.body?.cancel();
    throw dataError(
      "DATA-HTTP-NO-RANGE",
      name,
      `The server of "${url}" answers 206 without a usable Content-Range (it is "${contentRange}").`,
      "Use a server that sends Content-Range with the total size, and lists it in Access-Control-Expose-Headers for other origins.",
      { contentRange },
    );
  }
  return { response, first: Number(match[1]), last: Number(match[2]), totalBytes: Number(match[3]) };
}

async function request(
  url: string,
  name: string,
  options: HttpOptions,
  headers: Record<string, string>,
): Promise<Response> {
  const send = options.fetch ?? fetch;
  const init: RequestInit = { headers: { ...options.headers, ...headers } };
  if (options.signal !== undefined) init.signal = options.signal;
  return send(url, init).catch((cause: unknown) => {
    options.signal?.throwIfAborted();
    throw unreadable(url, name, cause);
  });
}

function unreadable(url: string, name: string, cause: unknown) {
  return dataError(
    "DATA-UNREADABLE",
    name,
    `"${url}" could not be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
    "Check that the server runs and that this page may reach it.",
    { url },
    cause,
  );
}
