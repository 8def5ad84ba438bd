// Shared by the tests of the data layer: expecting a code, and synthetic files of the real formats.

import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { isEngineError } from "../../src/errors.ts";

/** Where real samples may lie; never part of the project. */
export const SAMPLES = process.env.EIGENSTEP_SAMPLES ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));

/** Runs `action`, expects an EngineError with exactly this code, a remedy and a place, and returns it for further checks. */
export async function expectCode(code: string, action: () => unknown) {
  let thrown: unknown;
  try {
    await action();
  } catch (error) {
    thrown = error;
  }
  if (!isEngineError(thrown)) {
    expect.fail(`expected ${code}, got ${thrown === undefined ? "no error" : String(thrown)}`);
  }
  expect(thrown.code, thrown.message).toBe(code);
  expect(thrown.message).toMatch(/\.$/);
  expect(thrown.fix).toMatch(/^[A-Z].*\.$/);
  expect(thrown.where).toBeTruthy();
  return thrown;
}

export function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Value of one pixel of a synthetic CIFAR record: differs between records, channels, rows and columns. */
export function cifarPixel(record: number, channel: number, row: number, column: number): number {
  return (record * 131 + channel * 83 + row * 37 + column * 5) & 255;
}

/** A file of `count` CIFAR-10 records, numbered from `first`; labels are record mod 10. */
export function cifarFile(first: number, count: number): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(count * 3073);
  for (let r = 0; r < count; r++) {
    let at = r * 3073;
    file[at++] = (first + r) % 10;
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < 32; y++) for (let x = 0; x < 32; x++) file[at++] = cifarPixel(first + r, c, y, x);
    }
  }
  return file;
}

/** An IDX file of unsigned bytes. */
export function idxFile(sizes: readonly number[], elements: ArrayLike<number>, magic = 0x800 + sizes.length) {
  const file = new Uint8Array(4 + 4 * sizes.length + elements.length);
  const view = new DataView(file.buffer);
  view.setUint32(0, magic);
  sizes.forEach((size, axis) => {
    view.setUint32(4 + 4 * axis, size);
  });
  file.set(elements, 4 + 4 * sizes.length);
  return file;
}
