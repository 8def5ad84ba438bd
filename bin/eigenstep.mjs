#!/usr/bin/env node
// The `eigenstep` command. Everything is in dist/cli.js, which `npm run build` makes; EIGENSTEP_DIST names another build (tests use it).
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = process.env.EIGENSTEP_DIST ?? join(root, "dist");
const entry = join(dist, "cli.js");
if (!existsSync(entry)) {
  process.stderr.write(`error CLI-NOT-BUILT: ${entry} does not exist\nfix: Run \`npm run build\` in ${root}.\n`);
  process.exit(1);
}
const { main } = await import(pathToFileURL(entry).href);
await main(root, join(dist, "runner"));
