/** `eigenstep report`: reads run folders and writes one HTML page with their figures, and SVG files beside it when asked. */
import { stat } from "node:fs/promises";
import { extname, join, resolve } from "node:path";
import { EngineError } from "../../errors.ts";
import { formatBytes } from "../../report/format.ts";
import { readRunFolder, type StoredRun } from "../../report/readRun.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exitCodes.ts";
import { type OutputFile, writeFiles } from "../report/writeFiles.ts";

export type ScaleOption = "log" | "linear";

export interface ReportOptions {
  /** Run folders; one report shows all of them. */
  readonly runs: readonly string[];
  /** A column for each run; undefined: where losses or recorded matrices differ. */
  readonly columns?: boolean | undefined;
  readonly out?: string | undefined;
  readonly svg: boolean;
  /** Scaling of t and of the eigenvalues that is shown first and written as SVG. */
  readonly time?: ScaleOption | undefined;
  readonly eigenvalues?: ScaleOption | undefined;
  readonly json: boolean;
}

/** @throws EngineError RUN-…, REPORT-OUT, REPORT-WRITE; nothing was written then */
export async function report(options: ReportOptions, context: CommandContext): Promise<number> {
  const paths = [...new Set(options.runs.map((run) => resolve(context.cwd, run)))];
  const stored: StoredRun[] = [];
  for (const path of paths) stored.push(await readRunFolder(path));
  // Drawing libraries are loaded when there is something to draw.
  const { makeReport } = await import("../../report/report.ts");
  const view = {
    ...(options.time ? { time: options.time } : {}),
    ...(options.eigenvalues ? { eigenvalues: options.eigenvalues } : {}),
  };
  const { html, svgs, notes } = makeReport(stored, { view, columns: options.columns, version: context.version });

  const out = await outPath(options, paths, context.cwd);
  const stem = out.slice(0, out.length - extname(out).length);
  const outputs: OutputFile[] = [{ path: out, content: html }];
  if (options.svg) {
    for (const [name, content] of Object.entries(svgs)) outputs.push({ path: `${stem}-${name}.svg`, content });
  }
  await writeFiles(outputs);

  const [page, ...pictures] = outputs.map(({ path }) => path);
  if (options.json) {
    const bytes = Buffer.byteLength(html);
    context.stdout.write(`${JSON.stringify({ out: page, svg: pictures, runs: paths, bytes, notes })}\n`);
  } else {
    for (const note of notes) context.stderr.write(`note: ${note}\n`);
    for (const { path, content } of outputs) {
      context.stdout.write(`${path}  ${formatBytes(Buffer.byteLength(content))}\n`);
    }
  }
  return EXIT.ok;
}

/** `--out` may name a folder; without it, one run's report lies in its folder, that of several in the current one. */
async function outPath({ out }: ReportOptions, paths: readonly string[], cwd: string): Promise<string> {
  if (out === undefined) return join((paths.length === 1 ? paths[0] : undefined) ?? cwd, "report.html");
  const path = resolve(cwd, out);
  if (!/\.html?$/i.test(path) && /\.[a-z0-9]+$/i.test(path)) {
    throw new EngineError({
      code: "REPORT-OUT",
      message: `The report is an HTML page, but --out ends in ${extname(path)}`,
      fix: "Give a file that ends in .html, or a folder.",
      where: path,
    });
  }
  const isFolder = await stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
  return isFolder ? join(path, "report.html") : path;
}
