/** The caller's buffers, checked before anything is recorded: what WebGPU would only report later, without names. */
import { EngineError } from "../errors.ts";
import type { BufferRange } from "../kernels/kernel.ts";
import type { Port } from "./solver.ts";

/** A whole buffer, or one from an offset on (a multiple of 256, or of the device's smaller alignment). */
export type PlanBuffer = GPUBuffer | { readonly buffer: GPUBuffer; readonly offsetBytes?: number | undefined };

export interface PortRange extends Required<BufferRange> {
  readonly name: string;
  readonly isOutput: boolean;
}

export interface PortLists {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/**
 * @returns the range of each port that is the caller's, inputs first
 * @throws EngineError LINALG-BUFFER for a port without a buffer or a buffer without a port, LINALG-BUFFER-SIZE, LINALG-OFFSET,
 *         LINALG-USAGE, LINALG-ALIAS
 */
export function portRanges(
  label: string,
  { inputs, outputs }: PortLists,
  given: Readonly<Record<string, PlanBuffer | undefined>>,
  alignment: number,
): readonly PortRange[] {
  const ports = [
    ...inputs.map((port) => ({ ...port, isOutput: false })),
    ...outputs.filter(({ name }) => name !== "status").map((port) => ({ ...port, isOutput: true })),
  ];
  const names = ports.map(({ name }) => name);
  const stray = Object.keys(given).find((name) => given[name] !== undefined && !names.includes(name));
  if (stray !== undefined) {
    throw failure("LINALG-BUFFER", label, stray, `has no place for ${stray}; it has ${names.join(", ")}`, {
      fix: `Leave ${stray} out, or ask for it in the plan's shape.`,
    });
  }
  const ranges = ports.map((port) => portRange(label, port, given[port.name], alignment));
  for (const [index, range] of ranges.entries()) {
    for (const other of ranges.slice(0, index)) requireApart(label, range, other);
  }
  return ranges;
}

function portRange(
  label: string,
  { name, sizeBytes, isOutput }: Port & { readonly isOutput: boolean },
  given: PlanBuffer | undefined,
  alignment: number,
): PortRange {
  if (!given) {
    throw failure("LINALG-BUFFER", label, name, `needs a buffer for ${name}, ${sizeBytes} bytes`, {
      fix: `Pass ${name}.`,
      detail: { sizeBytes },
    });
  }
  const { buffer, offsetBytes = 0 } = "buffer" in given ? given : { buffer: given };
  if (!Number.isInteger(offsetBytes) || offsetBytes < 0 || offsetBytes % alignment !== 0) {
    const why = `binds ${name} at offset ${offsetBytes}, which is not a multiple of ${alignment}`;
    throw failure("LINALG-OFFSET", label, name, why, {
      fix: `Start ${name} at a multiple of ${alignment} bytes (the device's minStorageBufferOffsetAlignment).`,
      detail: { offsetBytes, alignment },
    });
  }
  if (buffer.size - offsetBytes < sizeBytes) {
    const has = `${buffer.size} bytes${offsetBytes > 0 ? `, of which ${Math.max(0, buffer.size - offsetBytes)} from offset ${offsetBytes} on` : ""}`;
    throw failure("LINALG-BUFFER-SIZE", label, name, `needs ${sizeBytes} bytes for ${name}; the buffer has ${has}`, {
      fix: "Pass a larger buffer.",
      detail: { sizeBytes, bufferBytes: buffer.size, offsetBytes },
    });
  }
  if ((buffer.usage & GPUBufferUsage.STORAGE) === 0) {
    throw failure("LINALG-USAGE", label, name, `binds ${name} as storage; the buffer has usage ${buffer.usage}`, {
      fix: "Create the buffer with GPUBufferUsage.STORAGE.",
      detail: { usage: buffer.usage },
    });
  }
  return { name, isOutput, buffer, offsetBytes, sizeBytes };
}

/** An input is never written; and WebGPU lets no dispatch read and write one buffer, not even in different ranges. */
function requireApart(label: string, a: PortRange, b: PortRange): void {
  if (a.buffer !== b.buffer) return;
  const overlap =
    a.offsetBytes < b.offsetBytes + b.sizeBytes && b.offsetBytes < a.offsetBytes + a.sizeBytes ? "overlap" : undefined;
  if (a.isOutput && b.isOutput && !overlap) return;
  const extent = ({ offsetBytes, sizeBytes }: PortRange): string => `[${offsetBytes}, ${offsetBytes + sizeBytes})`;
  const why = overlap ?? "lie in one buffer, which no dispatch may both read and write";
  throw failure(
    "LINALG-ALIAS",
    label,
    a.name,
    `is given ${b.name} at bytes ${extent(b)} and ${a.name} at ${extent(a)} of the same buffer: they ${why}`,
    { fix: a.isOutput && b.isOutput ? "Keep outputs apart." : "Keep inputs and outputs in buffers of their own." },
  );
}

function failure(
  code: string,
  label: string,
  where: string,
  what: string,
  more: { readonly fix: string; readonly detail?: Readonly<Record<string, unknown>> },
): EngineError {
  return new EngineError({ code, message: `The plan ${label} ${what}`, where, ...more });
}
