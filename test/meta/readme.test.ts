/** The README's claims that code can check: its example runs as printed, its commands and links exist. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { presets } from "../../src/experiments/presets.ts";
import * as eigenstep from "../../src/index.ts";
import { useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine();
const readme = readFileSync("README.md", "utf8");

describe("README", () => {
  it("the library example runs as it is printed", async () => {
    const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
    const names = [...block.matchAll(/^import \{ (.*) \} from "eigenstep";$/gm)].flatMap((match) =>
      match[1]!.split(", "),
    );
    const values = eigenstep as unknown as Record<string, unknown>;
    expect(names.filter((name) => !(name in values))).toEqual([]);
    const [n, m, d] = [20, 9, 3];
    const random = new TestRandom(1);
    const logged: unknown[] = [];
    const scope: Record<string, unknown> = {
      ...Object.fromEntries(names.map((name) => [name, values[name]])),
      // The example asks the browser for an engine; here it borrows the test device.
      Engine: { request: async () => eigenstep.Engine.from(engine().device) },
      n,
      m,
      d,
      views: random.normals(2 * n * m),
      w0: random.normals(d * m, 0.01),
      console: { log: (value: unknown) => logged.push(value) },
    };
    const body = block.replace(/^import .*$/gm, "").replace("steps: 2000", "steps: 20");
    const AsyncFunction = (async () => {}).constructor as new (
      ...parts: string[]
    ) => (...given: unknown[]) => Promise<void>;
    await new AsyncFunction(...Object.keys(scope), `${body}\ncompiled.destroy(); engine.destroy();`)(
      ...Object.values(scope),
    );
    expect(logged.at(-1)).toMatchObject({ step: 20 });
  });

  it("names presets and files that exist", () => {
    for (const [, name] of readme.matchAll(/eigenstep (?:train|plan) (linear-[a-z-]+)/g))
      expect(Object.keys(presets)).toContain(name);
    for (const [, path] of readme.matchAll(/`((?:src|test|docs|shaders|tools)\/[\w/.-]+)`/g))
      expect([path, existsSync(path!)]).toEqual([path, true]);
  });
});
