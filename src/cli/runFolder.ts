/**
 * The folder a run leaves behind. Nothing exists before `begin`; from then on every file is whole at any moment: `metrics.jsonl` grows by
 * complete lines, everything else is written aside and renamed.
 */
import {
  access,
  appendFile,
  constants,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { EngineError } from "../errors.ts";
import type { MetricsRecord, RunConfig } from "../experiments/contract.ts";
import { CHECKPOINT_FILE } from "../experiments/contract.ts";
import { metricsLine } from "../experiments/metricsLine.ts";
import { readRunFolder, type StoredRun } from "../report/readRun.ts";

/** Pause between two writes of metrics: what a killed process loses at most of its records. */
const WRITE_EVERY_MS = 100;
/** Lines beyond which training waits for the disk. */
const MAX_PENDING_LINES = 20_000;

export class RunFolder {
  readonly path: string;
  #metricsBytes = 0;
  #hasBegun = false;
  /** Whole lines that a resumed folder held, and those of them that are still to be made again. */
  #kept: readonly string[] | undefined;
  #expected: string[] = [];
  /** Lines not yet written, the writer while it is at work, and what cuts its pause short. */
  readonly #pending: string[] = [];
  #writer: Promise<void> | undefined;
  #hurry: () => void = () => {};
  #failure: { readonly error: unknown } | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Checks `--out` without leaving a trace.
   *
   * @throws EngineError RUN-OUT-NOT-EMPTY, RUN-OUT-UNWRITABLE
   */
  static async at(path: string): Promise<RunFolder> {
    const info = await stat(path).catch(() => undefined);
    if (info && !info.isDirectory()) throw unwritable(path, "it is a file, not a folder");
    if (info && (await entriesOf(path)).length > 0) {
      throw new EngineError({
        code: "RUN-OUT-NOT-EMPTY",
        message: `The output folder ${path} is not empty`,
        fix: "Choose another --out, or remove the folder first.",
        where: path,
      });
    }
    await probeWritable(path);
    return new RunFolder(path);
  }

  /**
   * A folder of its own below `parent`: `<preset>-<date>-<time>`, numbered when that is taken.
   *
   * @throws EngineError RUN-OUT-UNWRITABLE
   */
  static async fresh(parent: string, preset: string, now: Date): Promise<RunFolder> {
    const pad = (value: number) => String(value).padStart(2, "0");
    const date = `${now.getFullYear()}${pad(now.getMonth() + 1)}${pad(now.getDate())}`;
    const name = `${preset}-${date}-${pad(now.getHours())}${pad(now.getMinutes())}${pad(now.getSeconds())}`;
    for (let number = 1; ; number++) {
      const path = join(parent, number === 1 ? name : `${name}-${number}`);
      if (await exists(path)) continue;
      await probeWritable(path);
      return new RunFolder(path);
    }
  }

  /**
   * The folder of a run to go on with: its configuration, the records up to its checkpoint, and the rest of its whole lines, which the
   * run will make again and which are kept. Nothing is changed before `begin`.
   *
   * @throws EngineError RUN-NOT-A-RUN, RUN-NEWER, RUN-METRICS, RUN-OUT-UNWRITABLE
   */
  static async resume(
    path: string,
  ): Promise<{ readonly folder: RunFolder; readonly stored: StoredRun; readonly checkpoint?: Uint8Array }> {
    const stored = await readRunFolder(path);
    await probeWritable(path);
    const folder = new RunFolder(path);
    const checkpoint = await readFile(join(path, CHECKPOINT_FILE)).catch(() => undefined);
    const whole = (await readFile(join(path, "metrics.jsonl"))).subarray(0, stored.wholeBytes);
    folder.#kept = whole.length === 0 ? [] : whole.toString("utf8").trimEnd().split("\n");
    return { folder, stored, ...(checkpoint ? { checkpoint: new Uint8Array(checkpoint) } : {}) };
  }

  /** Says that the run goes on after its first `records` records; the lines after them will come again. */
  continueAfter(records: number): void {
    const lines = this.#kept ?? [];
    this.#metricsBytes = Buffer.byteLength(
      lines
        .slice(0, records)
        .map((line) => `${line}\n`)
        .join(""),
    );
    this.#expected = lines.slice(records);
  }

  /** True once the folder exists with its configuration. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** @throws EngineError RUN-WRITE, as all of the following */
  async begin(config: RunConfig): Promise<void> {
    if (this.#kept) {
      await this.#writing("metrics.jsonl", async () => {
        // A line that was cut off while it was written goes; whole lines stay where they are.
        const bytes = this.#metricsBytes + Buffer.byteLength(this.#expected.map((line) => `${line}\n`).join(""));
        await truncate(join(this.path, "metrics.jsonl"), bytes);
        await rm(join(this.path, "summary.json"), { force: true });
      });
      this.#hasBegun = true;
      return;
    }
    await this.#writing("config.json", async () => {
      const created = await mkdir(this.path, { recursive: true });
      try {
        // "wx" fails if another run took the folder in the meantime.
        await writeFile(join(this.path, "metrics.jsonl"), "", { flag: "wx" });
        await this.#replace("config.json", json(config));
      } catch (error) {
        // Only what was made here goes.
        if (created !== undefined) await rm(created, { recursive: true, force: true }).catch(() => {});
        throw error;
      }
    });
    this.#hasBegun = true;
  }

  /**
   * Takes records to be written soon: training does not wait for the disk, unless it has fallen far behind. A failed write surfaces in the
   * next call, and the file is cut back to its last whole line.
   */
  append(records: readonly MetricsRecord[]): Promise<void> | void {
    if (this.#failure) throw this.#failure.error;
    for (const record of records) this.#pending.push(metricsLine(record));
    this.#writer ??= this.#writePending();
    this.#writer.catch(() => {});
    if (this.#pending.length > MAX_PENDING_LINES) return this.flush();
  }

  /** Resolves when everything taken so far is on disk. */
  async flush(): Promise<void> {
    this.#hurry();
    await this.#writer;
    if (this.#failure) throw this.#failure.error;
  }

  async #writePending(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        await new Promise<void>((resolve) => {
          this.#hurry = resolve;
          setTimeout(resolve, WRITE_EVERY_MS);
        });
        await this.#writeLines(this.#pending.splice(0));
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      this.#writer = undefined;
    }
  }

  async #writeLines(all: readonly string[]): Promise<void> {
    const path = join(this.path, "metrics.jsonl");
    const lines = await this.#skipKept(all, path);
    if (lines.length === 0) return;
    const text = Buffer.from(lines.map((line) => `${line}\n`).join(""));
    await this.#writing("metrics.jsonl", async () => {
      try {
        await appendFile(path, text);
        this.#metricsBytes += text.byteLength;
      } catch (error) {
        await truncate(path, this.#metricsBytes).catch(() => {});
        throw error;
      }
    });
  }

  /**
   * Passes over lines that are there already. On another adapter a resumed run may differ in the last bits from the lines that the old one
   * wrote after its checkpoint: then those give way to the new ones.
   */
  async #skipKept(lines: readonly string[], path: string): Promise<readonly string[]> {
    let skipped = 0;
    while (skipped < lines.length && this.#expected[0] === lines[skipped]) {
      this.#metricsBytes += Buffer.byteLength(`${this.#expected.shift()}\n`);
      skipped++;
    }
    if (skipped < lines.length && this.#expected.length > 0) {
      this.#expected = [];
      await this.#writing("metrics.jsonl", () => truncate(path, this.#metricsBytes));
    }
    return lines.slice(skipped);
  }

  /** Replaces the checkpoint, after everything recorded before it is on disk. */
  async checkpoint(bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.#writing(CHECKPOINT_FILE, () => this.#replace(CHECKPOINT_FILE, bytes));
  }

  /** Writes one file whole or not at all. The name must be plain: what arrives here may come from a page. */
  async file(name: string, bytes: Uint8Array): Promise<void> {
    if (name !== basename(name) || !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name) || RESERVED.has(name)) {
      throw new EngineError({
        code: "RUN-FILE-NAME",
        message: `${JSON.stringify(name)} is not a name for a file of a run`,
        fix: "This is a defect in eigenstep; please report it.",
        where: name,
      });
    }
    await this.#writing(name, () => this.#replace(name, bytes));
  }

  async summary(document: object): Promise<void> {
    await this.flush();
    await this.#writing("summary.json", () => this.#replace("summary.json", json(document)));
  }

  async #replace(name: string, content: string | Uint8Array): Promise<void> {
    const aside = join(this.path, `.${name}.partial`);
    try {
      await writeFile(aside, content);
      await rename(aside, join(this.path, name));
    } catch (error) {
      await rm(aside, { force: true }).catch(() => {});
      throw error;
    }
  }

  async #writing(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      throw new EngineError({
        code: "RUN-WRITE",
        message: `${join(this.path, name)} cannot be written: ${reason(cause)}`,
        fix: "Free disk space or choose another --out; what was recorded before is kept.",
        where: name,
        cause,
      });
    }
  }
}

const RESERVED: ReadonlySet<string> = new Set(["config.json", "metrics.jsonl", "summary.json", CHECKPOINT_FILE]);

function json(document: object): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function entriesOf(path: string): Promise<string[]> {
  return readdir(path).catch((cause: unknown) => {
    throw unwritable(path, reason(cause), cause);
  });
}

/** Makes and removes a folder beside where `path` will be: permissions alone do not tell (read-only mounts, root, quotas). */
async function probeWritable(path: string): Promise<void> {
  let ancestor = resolve(path);
  while (!(await exists(ancestor)) && dirname(ancestor) !== ancestor) ancestor = dirname(ancestor);
  try {
    await access(ancestor, constants.W_OK | constants.X_OK);
    await rmdir(await mkdtemp(join(ancestor, ".eigenstep-")));
  } catch (cause) {
    throw unwritable(path, reason(cause), cause);
  }
}

function unwritable(path: string, why: string, cause?: unknown): EngineError {
  return new EngineError({
    code: "RUN-OUT-UNWRITABLE",
    message: `The output folder ${path} cannot be written: ${why}`,
    fix: "Choose another --out in a folder that you may write to.",
    where: path,
    cause,
  });
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
