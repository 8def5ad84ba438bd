#!/usr/bin/env node
// The `eigenstep` command. Everything is in dist/cli.js, which `npm run build` makes.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = process.env.EIGENSTEP_DIST ?? `${root}dist`;
if (!existsSync(`${dist}/cli.js`)) {
  process.stderr.write(`error CLI-NOT-BUILT: ${dist}/cli.js does not exist\nfix: Run \`npm run build\` in ${root}.\n`);
  process.exit(1);
}
const { main } = await import(new URL(`file://${dist}/cli.js`).href);
await main(root, `${dist}/runner`);
