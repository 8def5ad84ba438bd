/**
 * The loopback server between the command and its page. It serves the built page, the task and the data folder, and takes back messages
 * and files. Every path starts with a one-time token; everything else is refused.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isEngineError } from "../../errors.ts";
import { nodeFolder } from "../nodeFiles.ts";
import { attachmentOf, encodeTask, type Message } from "../runner/protocol.ts";
import type { Task } from "../runner/task.ts";
import { plainName, serveDataFile, serveStatic } from "./serveFiles.ts";

export interface JobServerOptions {
  /** Folder of the built page. */
  readonly pageRoot: string;
  readonly task: Task;
  readonly dataPath?: string | undefined;
  /** Folder of modules that a benchmark compares with. */
  readonly peersRoot?: string | undefined;
  /** Called in order; the page waits for the promise, and a rejection refuses its request. */
  readonly onMessage: (message: Message) => Promise<void>;
  readonly onFile: (name: string, bytes: Uint8Array) => Promise<void>;
  /** The page has asked for its task: it runs. */
  readonly onTaskFetched: () => void;
}

export interface JobServer {
  /** Address of the page, token included. */
  readonly url: string;
  /** An empty page of the same origin. */
  readonly blankUrl: string;
  /** Address of the data folder: what the page calls it in its messages. */
  readonly dataUrl: string;
  close(): Promise<void>;
}

/** Largest file or message body a page may post. */
const MAX_BODY_BYTES = 1 << 30;

export async function startJobServer(options: JobServerOptions): Promise<JobServer> {
  const token = randomBytes(32).toString("base64url");
  let origin = "";
  const server = createServer((request, response) => {
    handle(request, response, { ...options, token, origin }).catch((error: unknown) => {
      if (!response.headersSent) answer(response, 500, isEngineError(error) ? error.code : "failed");
      else response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}/${token}/runner/index.html`,
    blankUrl: `${origin}/${token}/blank`,
    dataUrl: `${origin}/${token}/data`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  options: JobServerOptions & { readonly token: string; readonly origin: string },
): Promise<void> {
  // SharedArrayBuffer and precise timers need an isolated page; nothing but this server may be talked to.
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  response.setHeader(
    "Content-Security-Policy",
    // Other libraries in a benchmark compile WebAssembly and start workers from their own text.
    options.peersRoot === undefined
      ? "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:"
      : "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src blob:; connect-src 'self'; img-src data:",
  );
  response.setHeader("Referrer-Policy", "no-referrer");
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Cache-Control", "no-store");

  // The raw path: a URL parser would resolve "..", which must be seen and refused.
  const [, token = "", area = "", ...rest] = (request.url ?? "").split("?", 1)[0]?.split("/") ?? [];
  const isOurs =
    isEqual(token, options.token) &&
    `http://${request.headers.host}` === options.origin &&
    [undefined, options.origin].includes(request.headers.origin);
  if (!isOurs) return answer(response, 403, "refused");

  const names = rest.map(plainName);
  const [name, ...deeper] = names;
  if (names.includes(undefined)) return answer(response, 400, "not a plain file name");
  const route = `${request.method} ${area}`;
  if (route === "GET task" && rest.length === 0) {
    options.onTaskFetched();
    return answer(response, 200, encodeTask(options.task), "application/json");
  }
  const attachment = attachmentOf(options.task);
  if (route === "GET attachment" && rest.length === 0 && attachment) {
    return answer(response, 200, attachment, "application/octet-stream");
  }
  if (route === "GET blank") return answer(response, 200, "<!doctype html><title>blank</title>", "text/html");
  if (route === "GET runner") return serveStatic(response, options.pageRoot, names as string[]);
  if (route === "GET peers" && options.peersRoot !== undefined) {
    return serveStatic(response, options.peersRoot, names as string[]);
  }
  if (route === "GET data" && options.dataPath !== undefined && deeper.length === 0) {
    if (!name) {
      return answer(response, 200, JSON.stringify(await nodeFolder(options.dataPath).list()), "application/json");
    }
    return serveDataFile(request, response, options.dataPath, name);
  }
  if (route === "POST messages" && rest.length === 0) {
    const messages = JSON.parse(Buffer.from(await bodyOf(request)).toString("utf8")) as Message[];
    for (const message of messages) await options.onMessage(message);
    return answer(response, 204);
  }
  if (route === "POST file" && name && deeper.length === 0) {
    await options.onFile(name, await bodyOf(request));
    return answer(response, 204);
  }
  return answer(response, 404, "no such thing here");
}

function isEqual(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > MAX_BODY_BYTES) throw new Error("body too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function answer(response: ServerResponse, status: number, body?: string | Uint8Array, type = "text/plain"): void {
  response.writeHead(status, body === undefined ? {} : { "Content-Type": type });
  response.end(body);
}
