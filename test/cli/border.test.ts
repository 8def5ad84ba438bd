/** The border between page and command: order and completeness of what is posted, and what the loopback server refuses. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Outbox } from "../../src/cli/runner/outbox.ts";
import { decodeRecord, encodeError, encodeRecord, type Message } from "../../src/cli/runner/protocol.ts";
import { type JobServer, startJobServer } from "../../src/cli/runtimes/jobServer.ts";
import { httpFolder } from "../../src/data/httpFiles.ts";
import { EngineError } from "../../src/errors.ts";
import { presets } from "./fakeExperiment.ts";
import { adapter, temporaryFolder } from "./support.ts";

const record = (step: number) => ({ step, t: step / 3, loss: 1 / (step + 1), spectrum: [0.1, 0.2] });
const header = { config: presets.fake!, adapter, theory: {}, description: "" };

describe("Outbox", () => {
  function recorder(delayMs = 0) {
    const posted: string[] = [];
    let underWay = 0;
    const post = async (path: string, body: string | Uint8Array) => {
      expect(++underWay).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      underWay--;
      if (typeof body !== "string") posted.push(path);
      else {
        for (const message of JSON.parse(body) as Message[]) {
          posted.push(
            message.type === "records" ? `records ${message.records.map(([step]) => step).join(",")}` : message.type,
          );
        }
      }
    };
    return { posted, post };
  }

  it("keeps the order of everything, one request at a time", async () => {
    const { posted, post } = recorder(2);
    const outbox = new Outbox(post);
    outbox.phase("one");
    await outbox.begin(header);
    void outbox.records([record(0), record(1)]);
    outbox.phase("two");
    void outbox.records([record(2)]);
    await outbox.file("a.npy", new Uint8Array(1));
    void outbox.records([record(3)]);
    await outbox.close({ type: "result", result: {} });
    expect(posted).toEqual([
      "phase",
      "begin",
      "records 0,1",
      "phase",
      "records 2",
      "file/a.npy",
      "records 3",
      "result",
    ]);
  });

  it("posts records without being asked, in batches, and does not make training wait", async () => {
    const { posted, post } = recorder(5);
    const outbox = new Outbox(post);
    for (let step = 0; step < 50; step++) expect(outbox.records([record(step)])).toBeUndefined();
    await expect.poll(() => posted.length).toBe(1);
    expect(posted[0]).toBe(`records ${Array.from({ length: 50 }, (_, step) => step).join(",")}`);
  });

  it("makes training wait when the command has fallen far behind", async () => {
    const outbox = new Outbox(recorder().post);
    const many = Array.from({ length: 20_001 }, (_, step) => record(step));
    const waiting = outbox.records(many);
    expect(waiting).toBeInstanceOf(Promise);
    await waiting;
    expect(outbox.records([record(0)])).toBeUndefined();
    await outbox.flush();
  });

  it("fails when the command refuses", async () => {
    const outbox = new Outbox(async () => {
      throw new Error("refused");
    });
    await expect(outbox.begin(header)).rejects.toThrow("refused");
    expect(() => outbox.records([record(0)])).toThrow("refused");
    await expect(outbox.close({ type: "result", result: {} })).rejects.toThrow("refused");
  });
});

describe("protocol", () => {
  it("brings every number over unchanged, also those that JSON does not know", () => {
    const awkward = {
      step: 3,
      t: 0.1 + 0.2,
      loss: Number.NaN,
      spectrum: [1e-300, Number.POSITIVE_INFINITY, -Number.MAX_VALUE, Math.fround(0.1)],
    };
    expect(decodeRecord(JSON.parse(JSON.stringify(encodeRecord(awkward))))).toEqual(awkward);
  });

  it("keeps code and fix of an error, and calls anything else a defect", () => {
    const error = new EngineError({ code: "DATA-X", message: "m", fix: "f", where: "w", detail: { n: 1 } });
    expect(encodeError(error)).toEqual({ code: "DATA-X", message: "m", fix: "f", where: "w", detail: { n: 1 } });
    expect(encodeError(new TypeError("oops"))).toMatchObject({
      code: "CLI-DEFECT",
      message: "The runner page failed: oops",
    });
  });
});

describe("the loopback server", () => {
  async function withServer(
    test: (server: JobServer, got: { messages: Message[]; files: Record<string, number> }) => Promise<void>,
  ) {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "page"));
    await mkdir(join(folder, "data", "sub"), { recursive: true });
    await writeFile(join(folder, "page", "index.html"), "<p>page</p>");
    await writeFile(join(folder, "page", "secret.key"), "secret");
    await writeFile(join(folder, "secret.html"), "secret");
    await writeFile(join(folder, "data", "images"), "0123456789");
    await writeFile(join(folder, "data", "empty"), "");
    const got = { messages: [] as Message[], files: {} as Record<string, number> };
    const server = await startJobServer({
      pageRoot: join(folder, "page"),
      dataPath: join(folder, "data"),
      task: { kind: "info" },
      onTaskFetched() {},
      onMessage: async (message) => void got.messages.push(message),
      onFile: async (name, bytes) => {
        got.files[name] = bytes.byteLength;
      },
    });
    try {
      await test(server, got);
    } finally {
      await server.close();
    }
  }

  const statusOf = async (url: string | URL, init?: RequestInit) => (await fetch(url, init)).status;

  it("serves page, task and data to who has the token, isolated from other origins", () =>
    withServer(async (server, got) => {
      const page = await fetch(server.url);
      expect([page.status, await page.text()]).toEqual([200, "<p>page</p>"]);
      expect(page.headers.get("Cross-Origin-Opener-Policy")).toBe("same-origin");
      expect(page.headers.get("Cross-Origin-Embedder-Policy")).toBe("require-corp");
      const base = new URL("..", server.url);
      expect(await (await fetch(new URL("task", base))).json()).toEqual({
        task: { kind: "info" },
        hasAttachment: false,
      });
      expect(await statusOf(new URL("messages", base), { method: "POST", body: '[{"type":"phase","text":"a"}]' })).toBe(
        204,
      );
      expect(await statusOf(new URL("file/w.npy", base), { method: "POST", body: new Uint8Array(5) })).toBe(204);
      expect(got).toEqual({ messages: [{ type: "phase", text: "a" }], files: { "w.npy": 5 } });
    }));

  it("serves data by range, as the data layer reads it", () =>
    withServer(async (server) => {
      const data = httpFolder(server.dataUrl);
      expect((await data.list()).sort()).toEqual(["empty", "images", "sub/"]);
      const images = await data.open("images");
      expect(images.sizeBytes).toBe(10);
      expect(new TextDecoder().decode(await images.read(3, 4))).toBe("3456");
      expect((await data.open("empty")).sizeBytes).toBe(0);
      await expect(data.open("missing")).rejects.toMatchObject({ code: "DATA-NOT-FOUND" });
      await expect(data.open("sub")).rejects.toMatchObject({ code: "DATA-NOT-FOUND" });
      expect(await statusOf(`${server.dataUrl}/images`, { headers: { Range: "bytes=10-" } })).toBe(416);
    }));

  it("refuses a missing or wrong token, another host name and another origin", () =>
    withServer(async (server) => {
      const { origin, pathname } = new URL(server.url);
      const token = pathname.split("/")[1]!;
      for (const path of [
        "/",
        "/runner/index.html",
        `/${token.slice(0, -1)}/task`,
        `/${token}x/task`,
        `/${token.toLowerCase()}/task`,
      ]) {
        expect(await statusOf(origin + path)).toBe(403);
      }
      expect(await statusOf(server.url.replace("127.0.0.1", "localhost"))).toBe(403);
      expect(await statusOf(server.url, { headers: { Origin: "https://elsewhere.example" } })).toBe(403);
      expect(await statusOf(`${origin}/messages`, { method: "POST", body: "[]" })).toBe(403);
    }));

  it("refuses to leave its folders, and to serve what is no part of a page", () =>
    withServer(async (server) => {
      const base = new URL("..", server.url).href;
      const attempts = [
        "runner/..%2fsecret.html",
        "runner/%2e%2e/secret.html",
        "data/..%2fsecret.html",
        "data/..%5csecret.html",
        "data/sub%2f..%2f..%2fsecret.html",
        "data/%00",
        "data/%zz",
        "runner/secret.key",
        "runner/",
        "data/sub/x",
        "nothing",
      ];
      for (const path of attempts)
        expect([path, await rawStatus(base + path)]).toEqual([path, expect.toBeOneOf([400, 404])]);
      expect(await rawStatus(`${base}runner/../../secret.html`)).not.toBe(200);
    }));
});

/** Status of a request whose path is sent as it is: fetch would resolve the dots. */
async function rawStatus(url: string): Promise<number | undefined> {
  const { request } = await import("node:http");
  const { hostname, port, origin } = new URL(url);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path: url.slice(origin.length) }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .once("error", reject)
      .end();
  });
}
