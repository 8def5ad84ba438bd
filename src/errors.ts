/**
 * Errors as data: every failure a user can meet carries a stable code, what happened with its numbers, and the remedy.
 *
 * Codes are grouped by prefix: `DEVICE-` and `LIMIT-` (adapter, device, memory), `KERNEL-` (WGSL), `GRAPH-` (shapes, autodiff,
 * planning), `DATA-` (files and arrays), `CONFIG-` (presets and options), `RUN-` (a run and its folder), `THEORY-`, `CLI-`.
 */
export interface EngineErrorInit {
  /** Stable identifier, upper case with hyphens, e.g. `DATA-TRUNCATED`. */
  readonly code: string;
  /** What is wrong, naming the thing and the numbers. One sentence. */
  readonly message: string;
  /** What to do about it. One sentence, imperative. */
  readonly fix: string;
  /** The object concerned: a file, a node label, an option. */
  readonly where?: string;
  /** Machine-readable numbers behind the message. */
  readonly detail?: Readonly<Record<string, unknown>>;
  /** The underlying exception, if any. */
  readonly cause?: unknown;
}

export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: string;
  readonly fix: string;
  readonly where: string | undefined;
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(init: EngineErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.fix = init.fix;
    this.where = init.where;
    this.detail = init.detail ?? {};
  }

  /** Plain object for crossing a process or page border; `fromJSON` restores it. */
  toJSON(): EngineErrorInit {
    return {
      code: this.code,
      message: this.message,
      fix: this.fix,
      ...(this.where === undefined ? {} : { where: this.where }),
      detail: this.detail,
    };
  }

  static fromJSON(init: EngineErrorInit): EngineError {
    return new EngineError(init);
  }
}

/** True for an EngineError of any realm or bundle copy (structural, not `instanceof`). */
export function isEngineError(value: unknown): value is EngineError {
  return (
    value instanceof Error && value.name === "EngineError" && typeof (value as Partial<EngineError>).code === "string"
  );
}
