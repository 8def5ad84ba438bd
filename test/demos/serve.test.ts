/** `eigenstep serve`: ports, what it serves, and all that it must not. */
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startDemoServer } from "../../src/cli/demoServer.ts";
import { command, dist, eigenstep, temporaryFolder } from "../cli/support.ts";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request whose path is sent as it stands. */
function ask(url: string, path: string, options: { readonly method?: string; readonly host?: string } = {}) {
  const { hostname, port } = new URL(url);
  return new Promise<Answer>((resolve, reject) => {
    const headers = { Host: options.host ?? `${hostname}:${port}` };
    const sent = request({ hostname, port, path, method: options.method ?? "GET", headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    sent.once("error", reject).end();
  });
}

/** A folder with a page, and secrets beside it. */
async function demos(): Promise<string> {
  const folder = await temporaryFolder();
  const root = join(folder, "demos");
  await mkdir(join(root, "assets"), { recursive: true });
  await writeFile(join(root, "index.html"), "<!doctype html>the page");
  await writeFile(join(root, "assets", "a.js"), "1");
  await writeFile(join(root, "assets", "b.bin"), "2");
  await writeFile(join(root, "assets", "secret.pem"), "secret");
  await writeFile(join(folder, "secret.json"), "secret");
  return root;
}

async function served(): Promise<string> {
  const server = await startDemoServer(await demos(), 0);
  onTestFinished(() => server.close());
  return server.url;
}

async function takenPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe("what is served", () => {
  it("is the page, its files with their types, and nothing cached or isolated wrongly", async () => {
    const url = await served();
    const page = await ask(url, "/");
    expect([page.status, page.body]).toEqual([200, "<!doctype html>the page"]);
    expect(page.headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "x-content-type-options": "nosniff",
      "cache-control": "no-cache",
    });
    expect((await ask(url, "/index.html?x=1#y")).body).toBe(page.body);
    expect((await ask(url, "/assets/a.js")).headers["content-type"]).toBe("text/javascript; charset=utf-8");
    expect((await ask(url, "/assets/b.bin")).headers["content-type"]).toBe("application/octet-stream");
  });

  it("answers HEAD without a body, and refuses to be written to", async () => {
    const url = await served();
    const head = await ask(url, "/", { method: "HEAD" });
    expect([head.status, head.body, head.headers["content-length"]]).toEqual([200, "", "23"]);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const { status, headers } = await ask(url, "/", { method });
      expect([method, status, headers.allow]).toEqual([method, 405, "GET, HEAD"]);
    }
  });

  it.each([
    "/../secret.json",
    "/assets/../../secret.json",
    "/%2e%2e/secret.json",
    "/..%2fsecret.json",
    "/..%5csecret.json",
    "/assets/%00",
    "/%",
    "//../secret.json",
    "/./index.html",
  ])("nothing outside its folder: %s", async (path) => {
    const { status, body } = await ask(await served(), path);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body).not.toContain("secret");
  });

  it.each(["/assets/", "/assets", "/none.js", "/assets/secret.pem", "/index.html/", "http://127.0.0.1/x"])(
    "no folders, no absent files, no other types: %s",
    async (path) => {
      const { status, body } = await ask(await served(), path);
      expect([404, 400]).toContain(status);
      expect(body).not.toContain("secret");
    },
  );

  it("not to a page of another name, but through a forwarded port", async () => {
    const url = await served();
    expect((await ask(url, "/", { host: "evil.example" })).status).toBe(403);
    expect((await ask(url, "/", { host: "127.0.0.1.evil.example" })).status).toBe(403);
    expect((await ask(url, "/", { host: "localhost:8080" })).status).toBe(200);
  });

  it("on the loopback address only", async () => {
    const { port } = new URL(await served());
    const others = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ family, internal }) => family === "IPv4" && !internal);
    for (const { address } of others) {
      await expect(ask(`http://${address}:${port}`, "/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    }
  });
});

describe("the command", () => {
  it("takes the port it is given, prints the address, and ends with 0 when it is told to", async () => {
    const port = await takenPort().then((taken) => (taken < 60000 ? taken + 1 : taken - 1));
    const controller = new AbortController();
    let stdout = "";
    const write = (text: string) => {
      stdout += text;
    };
    const ran = command(["serve", "--port", String(port), "--json"], {
      demosRoot: await demos(),
      signal: controller.signal,
      stdout: { write },
    });
    await expect.poll(() => stdout).not.toBe("");
    expect(JSON.parse(stdout)).toEqual({ url: `http://127.0.0.1:${port}/` });
    expect((await ask(`http://127.0.0.1:${port}`, "/")).status).toBe(200);
    controller.abort();
    expect((await ran).code).toBe(0);
    // On a connection of its own: one kept alive would only be reset.
    const again = createServer();
    await new Promise<void>((resolve, reject) => {
      again.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
    again.close();
  });

  it("two at once without --port: the second takes a free port", async () => {
    const controller = new AbortController();
    let stdout = "";
    const surroundings = {
      demosRoot: await demos(),
      signal: controller.signal,
      stdout: {
        write: (text: string) => {
          stdout += text;
        },
      },
    };
    const both = [command(["serve"], surroundings), command(["serve"], surroundings)];
    await expect.poll(() => stdout.match(/http:\S+/g)?.length).toBe(2);
    expect(new Set(stdout.match(/http:\S+/g)).size).toBe(2);
    controller.abort();
    expect((await Promise.all(both)).map(({ code }) => code)).toEqual([0, 0]);
  });

  it("a port in use is an error that names it and the remedy", async () => {
    const port = await takenPort();
    const { code, stdout, stderr } = await command(["serve", "--port", String(port)], { demosRoot: await demos() });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(
      `error CLI-PORT: Port ${port} of 127.0.0.1 cannot be listened on: another program uses it\nfix: `,
    );
    expect(stderr).toContain("--port");
  });

  it.each(["0", "65536", "x", "-1", "80.5"])("a faulty port is a usage error: %s", async (port) => {
    const { code, stderr } = await command(["serve", "--port", port]);
    expect(code).toBe(2);
    expect(stderr).toContain("error CLI-USAGE");
  });

  it("demos that are not built are named", async () => {
    const { code, stderr } = await command(["serve"]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/error CLI-NO-DEMOS: .*\nfix: Run `npm run build`/)]);
  });

  it("as a process: Ctrl-C ends it with 0", async () => {
    const distPath = await dist();
    let isSent = false;
    const { code, stdout } = await eigenstep(["serve"], {
      cwd: await temporaryFolder(),
      distPath,
      onStderr(text, kill) {
        if (isSent || !text.includes("Ctrl-C")) return;
        isSent = true;
        kill("SIGINT");
      },
    });
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^eigenstep demos: http:\/\/127\.0\.0\.1:\d+\/\n$/)]);
  });
});

// A link that leaves the folder is whoever made the build's own doing; it is named here so that a change of mind shows.
it("links inside the folder are followed", async () => {
  const root = await demos();
  await symlink(join(root, "index.html"), join(root, "other.html"));
  const server = await startDemoServer(root, 0);
  onTestFinished(() => server.close());
  expect((await ask(server.url, "/other.html")).status).toBe(200);
});
