// Where bytes come from: memory, disk, HTTP range requests against a real server on loopback.

import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { nodeFolder, nodeSource } from "../../src/cli/nodeFiles.ts";
import { type ByteSource, memoryFolder, memorySource, readExactly, readInto } from "../../src/data/byteSource.ts";
import { readCifar10 } from "../../src/data/cifar.ts";
import { httpFolder, httpSource } from "../../src/data/httpFiles.ts";
import { sha256Hex } from "../../src/data/imageSet.ts";
import { cifarFile, expectCode } from "./support.ts";

const CONTENT = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);

/** What every kind of source must do. */
async function checkSource(source: ByteSource) {
  expect([source.name, source.sizeBytes]).toEqual(["a.bin", 1000]);
  for (const [offset, length] of [
    [0, 1000],
    [0, 1],
    [999, 1],
    [1000, 0],
    [0, 0],
    [123, 456],
  ] as const) {
    expect([...(await source.read(offset, length))]).toEqual([...CONTENT.subarray(offset, offset + length)]);
  }
  const parallel = await Promise.all([source.read(10, 5), source.read(500, 5), source.read(0, 3)]);
  expect(parallel.map(([first]) => first)).toEqual([CONTENT[10], CONTENT[500], CONTENT[0]]);
  for (const [offset, length] of [
    [0, 1001],
    [1000, 1],
    [-1, 2],
    [5, -1],
    [0.5, 1],
    [Number.NaN, 1],
  ] as const) {
    const error = await expectCode("DATA-OUT-OF-RANGE", () => source.read(offset, length));
    expect(error.where).toBe("a.bin");
  }
}

describe("memory", () => {
  it("reads ranges and refuses others", () => checkSource(memorySource("a.bin", CONTENT)));

  it("lists files and subfolders", async () => {
    const folder = memoryFolder("mem", { "a.bin": CONTENT }, ["sub"]);
    expect((await folder.list()).sort()).toEqual(["a.bin", "sub/"]);
    await checkSource(await folder.open("a.bin"));
    const error = await expectCode("DATA-NOT-FOUND", () => folder.open("b.bin"));
    expect(error.message).toContain('"b.bin" in "mem"');
    await expectCode("DATA-NOT-FOUND", () => folder.open("toString"));
  });

  it("readInto reads a large file in pieces, whole", async () => {
    const large = new Uint8Array((8 << 20) * 2 + 11);
    for (let i = 0; i < large.length; i++) large[i] = (i * 31 + (i >>> 16)) & 255;
    const lengths: number[] = [];
    const inner = memorySource("large", large);
    const target = new Uint8Array(large.length - 3);
    const spy: ByteSource = {
      ...inner,
      read(offset, length) {
        lengths.push(length);
        return inner.read(offset, length);
      },
    };
    await readInto(spy, 3, target);
    expect(lengths).toEqual([8 << 20, 8 << 20, 8]);
    expect(Buffer.compare(target, large.subarray(3))).toBe(0);
  });

  it("readExactly reports a short read", async () => {
    const short: ByteSource = { name: "s", sizeBytes: 10, read: async () => new Uint8Array(4) };
    const error = await expectCode("DATA-TRUNCATED", () => readExactly(short, 2, 5));
    expect(error.detail).toEqual({ offset: 2, length: 5, got: 4 });
  });
});

describe("sha256Hex", () => {
  it("known answers (FIPS 180-2)", async () => {
    expect(await sha256Hex(new TextEncoder().encode("abc"), "x")).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });

  it("says what to do where WebCrypto is hidden", async () => {
    vi.stubGlobal("crypto", {});
    try {
      const error = await expectCode("DATA-NO-WEBCRYPTO", () => sha256Hex(new Uint8Array(1), "x"));
      expect(error.fix).toContain("localhost");
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe("disk", () => {
  let root = "";
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "eigenstep-data-"));
    await writeFile(join(root, "a.bin"), CONTENT);
    await mkdir(join(root, "sub"));
    await symlink(join(root, "sub"), join(root, "link"));
    await symlink(join(root, "nowhere"), join(root, "broken"));
  });
  afterAll(() => rm(root, { recursive: true }));

  it("reads ranges and refuses others", async () => {
    await checkSource(await nodeSource(join(root, "a.bin")));
    await checkSource(await nodeFolder(root).open("a.bin"));
  });

  it("lists files, and subfolders with a slash, through links", async () => {
    expect((await nodeFolder(root).list()).sort()).toEqual(["a.bin", "broken", "link/", "sub/"]);
  });

  it("names what is missing", async () => {
    const error = await expectCode("DATA-NOT-FOUND", () => nodeSource(join(root, "b.bin")));
    expect(error.message).toContain(`"b.bin" in "${root}"`);
    await expectCode("DATA-NOT-FOUND", () => nodeFolder(join(root, "none")).list());
    await expectCode("DATA-NOT-FOUND", () => nodeFolder(root).open("broken"));
    await expectCode("DATA-NOT-FOUND", () => nodeSource(join(root, "a.bin", "x")));
  });

  it("refuses a folder as a file, and names that leave the folder", async () => {
    const error = await expectCode("DATA-UNREADABLE", () => nodeFolder(root).open("sub"));
    expect(error.message).toContain("is a folder");
    for (const name of ["../a.bin", "sub/x", "..", ".", "", "a\0b", "..\\x"]) {
      await expectCode("DATA-NAME", () => nodeFolder(root).open(name));
    }
  });

  it.skipIf(!existsSync("/proc/self/fd"))("leaves no file open (skipped without /proc)", async () => {
    const openFiles = () => readdirSync("/proc/self/fd").filter((fd) => linkOf(fd) === join(root, "a.bin")).length;
    const linkOf = (fd: string) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return ""; // closed meanwhile
      }
    };
    const source = await nodeSource(join(root, "a.bin"));
    for (let i = 0; i < 20; i++) await source.read(i, 5);
    expect(openFiles()).toBe(0);
  });

  it("a file that shrinks or goes away after opening", async () => {
    const path = join(root, "shrinks");
    await writeFile(path, CONTENT);
    const source = await nodeSource(path);
    await truncate(path, 10);
    const error = await expectCode("DATA-TRUNCATED", () => readExactly(source, 5, 20));
    expect(error.detail).toMatchObject({ got: 5 });
    await rm(path);
    await expectCode("DATA-NOT-FOUND", () => source.read(0, 1));
  });

  it.skipIf(process.getuid?.() === 0)("no permission (skipped for root, who may read everything)", async () => {
    const path = join(root, "secret");
    await writeFile(path, CONTENT);
    await chmod(path, 0);
    const source = await nodeSource(path);
    const error = await expectCode("DATA-UNREADABLE", () => source.read(0, 1));
    expect(error.fix).toContain("permission");
    await rm(path);
  });
});

describe("HTTP", () => {
  let server: Server;
  let base = "";
  const files = new Map<string, Uint8Array>([
    ["a.bin", CONTENT],
    ["empty", new Uint8Array(0)],
    ["with #, ? and %41.bin", CONTENT],
    ["data_batch_1.bin", cifarFile(0, 5)],
  ]);
  const seen: IncomingMessage[] = [];

  /** A correct range server, with one path per fault. */
  function answer(request: IncomingMessage, response: ServerResponse) {
    seen.push(request);
    const [, folder = "", name = ""] = (request.url ?? "").split("/").map(decodeURIComponent);
    if (name === "") {
      const body = folder === "odd" ? '{"not": "a list"}' : JSON.stringify([...files.keys(), "sub/"]);
      response.writeHead(folder === "none" ? 404 : 200).end(body);
      return;
    }
    const bytes = files.get(name);
    if (bytes === undefined) return response.writeHead(404).end("no");
    if (folder === "forbidden") return response.writeHead(403).end("no");
    if (folder === "whole") return response.writeHead(200).end(bytes);
    const [, first = "", last = ""] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const start = Number(first);
    if (start >= bytes.length) return response.writeHead(416, { "Content-Range": `bytes */${bytes.length}` }).end();
    const end = Math.min(Number(last), bytes.length - 1);
    const isProbe = start === 0 && end === 0;
    const total = folder === "grows" && !isProbe ? bytes.length + 1 : bytes.length;
    const shift = folder === "shifted" && !isProbe ? 1 : 0;
    const early = folder === "early" && !isProbe ? 1 : 0;
    const range =
      folder === "silent" ? {} : { "Content-Range": `bytes ${start + shift - early}-${end + shift}/${total}` };
    const part = bytes.subarray(start, folder === "cut" && !isProbe ? end : end + 1);
    if (folder === "broken" && !isProbe) {
      response.writeHead(206, { ...range, "Content-Length": part.length + 5 });
      response.write(part, () => response.destroy());
      return;
    }
    response.writeHead(206, range).end(part);
  }

  beforeAll(async () => {
    server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );

  it("reads ranges and refuses others", async () => {
    await checkSource(await httpFolder(`${base}/good/`).open("a.bin"));
    await checkSource(await httpSource(`${base}/good/a.bin`, { name: "a.bin" }));
    expect((await httpFolder(`${base}/good`).open("with #, ? and %41.bin")).sizeBytes).toBe(1000);
  });

  it("an empty file", async () => {
    const source = await httpFolder(`${base}/good`).open("empty");
    expect(source.sizeBytes).toBe(0);
    expect(await source.read(0, 0)).toEqual(new Uint8Array(0));
  });

  it("lists what the server lists, or what it was told", async () => {
    expect(await httpFolder(`${base}/good`).list()).toEqual([...files.keys(), "sub/"]);
    expect(await httpFolder(`${base}/none`, { names: ["x"] }).list()).toEqual(["x"]);
    await expectCode("DATA-HTTP-LIST", () => httpFolder(`${base}/odd`).list());
    await expectCode("DATA-HTTP-STATUS", () => httpFolder(`${base}/none`).list());
  });

  it("a data set is read through ranges, only as much as is asked", async () => {
    seen.length = 0;
    const set = await readCifar10(httpFolder(`${base}/good`, { headers: { "X-Token": "t" } }), { limit: 2 });
    expect([...(set.labels ?? [])]).toEqual([0, 1]);
    expect(seen.map(({ headers }) => headers.range)).toEqual([undefined, "bytes=0-0", `bytes=0-${2 * 3073 - 1}`]);
    expect(seen.every(({ headers }) => headers["x-token"] === "t")).toBe(true);
  });

  it.each([
    ["whole", "DATA-HTTP-NO-RANGE"],
    ["silent", "DATA-HTTP-NO-RANGE"],
    ["forbidden", "DATA-HTTP-STATUS"],
  ])("fault at opening: %s → %s", async (folder, code) => {
    await expectCode(code, () => httpFolder(`${base}/${folder}`).open("a.bin"));
  });

  it.each([
    ["grows", "DATA-CHANGED"],
    ["shifted", "DATA-TRUNCATED"],
    ["early", "DATA-TRUNCATED"],
    ["cut", "DATA-TRUNCATED"],
    ["broken", "DATA-UNREADABLE"],
  ])("fault at reading: %s → %s", async (folder, code) => {
    const source = await httpFolder(`${base}/${folder}`).open("a.bin");
    await expectCode(code, () => source.read(10, 20));
  });

  it("a missing file, and a server that does not answer", async () => {
    const error = await expectCode("DATA-NOT-FOUND", () => httpFolder(`${base}/good`).open("b.bin"));
    expect(error.message).toContain(`"b.bin" in "${base}/good"`);
    const refuse: typeof fetch = () => Promise.reject(new TypeError("fetch failed"));
    const dead = await expectCode("DATA-UNREADABLE", () => httpSource(`${base}/x`, { fetch: refuse }));
    expect(dead.message).toContain("fetch failed");
  });

  it("an abort stays an abort", async () => {
    const controller = new AbortController();
    const source = await httpFolder(`${base}/good`, { signal: controller.signal }).open("a.bin");
    controller.abort();
    await expect(source.read(0, 1)).rejects.toMatchObject({ name: "AbortError" });
  });
});
