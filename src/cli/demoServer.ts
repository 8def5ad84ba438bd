/** A static server for the built demos: loopback only, GET and HEAD only, nothing outside their folder. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { plainName, serveStatic } from "./runtimes/serveFiles.ts";

export interface DemoServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * @param port 0 for any free one
 * @throws what Node reports when the port cannot be listened on (EADDRINUSE, EACCES)
 */
export async function startDemoServer(root: string, port: number): Promise<DemoServer> {
  const server = createServer((request, response) => {
    handle(request, response, root).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A page of another name that resolves to this address (DNS rebinding) is none of ours; a forwarded port keeps one of these names. */
const OUR_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

async function handle(request: IncomingMessage, response: ServerResponse, root: string): Promise<void> {
  // The demos need no isolation; where a host gives it, they must work with it, and here is that host.
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  response.setHeader(
    "Content-Security-Policy",
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  response.setHeader("Referrer-Policy", "no-referrer");
  response.setHeader("X-Content-Type-Options", "nosniff");
  // A new build must show at once.
  response.setHeader("Cache-Control", "no-cache");

  if (!OUR_HOST.test(request.headers.host ?? "")) return refuse(response, 403, "only for this computer");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return refuse(response, 405, "only GET and HEAD");
  }
  // The raw path: a URL parser would resolve "..", which must be seen and refused.
  const names = (request.url ?? "").split("?", 1)[0]?.split("/").slice(1).map(plainName) ?? [];
  if (names.includes(undefined)) return refuse(response, 400, "not a plain path");
  const path = names as string[];
  await serveStatic(response, root, path.at(-1) === "" ? [...path.slice(0, -1), "index.html"] : path);
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain" }).end(text);
}
