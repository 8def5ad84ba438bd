/** Locally connected layers as wide as presets have them, several tiles and prime ones: written out they take seconds to compile. */
import { describe, it } from "vitest";
import { base, checkBackward, checkForward, TARGETS } from "../kernels/localCases.ts";
import type { LocalShape } from "../oracle/local.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();

const SHAPES: readonly Partial<LocalShape>[] = [
  { fanIn: 20, fanOut: 10, rows: 40, nodes: 2 },
  { fanIn: 40, fanOut: 20, rows: 9, nodes: 1 },
  { fanIn: 14, fanOut: 7, rows: 9 },
  { fanIn: 26, fanOut: 13, rows: 5 },
  { fanIn: 100, fanOut: 50, rows: 3, views: 1, nodes: 1 },
];

describe.each(TARGETS)("%s", (_name, target) => {
  it.each(SHAPES)("locally_connected %o", (changes) => checkForward(engine(), { ...base, ...changes }, target));

  it.each(SHAPES)("locally_connected_grad %o", (changes) =>
    checkBackward(engine(), { ...base, ...changes }, target, true),
  );
});
