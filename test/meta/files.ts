/** Source files of the repository as text, for tests about the code itself. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** Files below `folder` whose names end in `suffix`, relative to the repository, with forward slashes; none for a missing folder. */
export function filesBelow(folder: string, suffix: string): string[] {
  const root = join(REPOSITORY, folder);
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true })
    .map((file) => `${folder}/${String(file).replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(suffix))
    .sort();
}

export function textOf(file: string): string {
  return readFileSync(join(REPOSITORY, file), "utf8");
}

/** TypeScript without comments; line breaks stay, so that line numbers hold. Strings are kept. */
export function withoutComments(code: string): string {
  return code.replace(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (all, string?: string) => (string === undefined ? all.replace(/[^\n]/g, "") : string),
  );
}
