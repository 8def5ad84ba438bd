/** `eigenstep serve`: the built demos on the loopback address, until a signal ends it. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../../errors.ts";
import type { CommandContext } from "../context.ts";
import { startDemoServer } from "../demoServer.ts";
import { EXIT } from "../exitCodes.ts";

/** What vite's preview takes, too; anything free will do when somebody has it. */
const USUAL_PORT = 4173;

export interface ServeOptions {
  /** Must be free; without it the usual port or any other is taken. */
  readonly port?: number | undefined;
  readonly open: boolean;
  readonly json: boolean;
}

/**
 * Serves until `context.signal` is aborted, which is how it is meant to end: exit code 0.
 *
 * @throws EngineError CLI-NO-DEMOS, CLI-PORT
 */
export async function serve(options: ServeOptions, context: CommandContext): Promise<number> {
  if (!existsSync(join(context.demosRoot, "index.html"))) {
    throw new EngineError({
      code: "CLI-NO-DEMOS",
      message: `The demos are not built: ${join(context.demosRoot, "index.html")} does not exist`,
      fix: "Run `npm run build`.",
      where: context.demosRoot,
    });
  }
  const server = await listen(options.port, context.demosRoot);
  try {
    if (options.json) context.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
    else context.stdout.write(`eigenstep demos: ${server.url}\n`);
    context.stderr.write("only this computer can reach it; Ctrl-C ends it\n");
    if (options.open) openInBrowser(server.url, context);
    if (!context.signal.aborted) {
      await new Promise<void>((resolve) => {
        context.signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  } finally {
    await server.close();
  }
  return EXIT.ok;
}

async function listen(port: number | undefined, root: string): ReturnType<typeof startDemoServer> {
  try {
    return await startDemoServer(root, port ?? USUAL_PORT);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (port === undefined && (code === "EADDRINUSE" || code === "EACCES")) return startDemoServer(root, 0);
    const reason = { EADDRINUSE: "another program uses it", EACCES: "this user may not" }[code ?? ""];
    throw new EngineError({
      code: "CLI-PORT",
      message: `Port ${port ?? USUAL_PORT} of 127.0.0.1 cannot be listened on: ${reason ?? (cause as Error).message}`,
      fix: "Name another with --port N (1024 or above), or leave --port out to take a free one.",
      where: "--port",
      cause,
    });
  }
}

/** Best effort: the address is printed in any case. */
function openInBrowser(url: string, context: CommandContext): void {
  const [program, ...args] =
    process.platform === "darwin"
      ? ["open", url]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", "", url]
        : ["xdg-open", url];
  const child = spawn(program as string, args, { stdio: "ignore", detached: true });
  child.once("error", () => context.stderr.write("no browser could be opened; open the address by hand\n"));
  child.unref();
}
