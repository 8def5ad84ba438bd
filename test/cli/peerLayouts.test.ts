/** Layouts of the peers: every element lands where its indices say. */
import { expect, it } from "vitest";
import { toChannelsFirst, toChannelsLast, toHwio, toOihw } from "../../bench/peers/layouts.ts";

it("images: [N, H, W, C] to [N, C, H, W] and back", () => {
  const [batch, height, width, channels] = [2, 3, 4, 5];
  const values = Float32Array.from({ length: batch * height * width * channels }, (_, at) => at);
  const first = toChannelsFirst(values, batch, channels);
  for (const [n, h, w, c] of [
    [0, 0, 0, 0],
    [1, 2, 3, 4],
    [1, 0, 2, 3],
  ] as const) {
    expect(first[((n * channels + c) * height + h) * width + w]).toBe(((n * height + h) * width + w) * channels + c);
  }
  expect(toChannelsLast(first, batch, channels)).toEqual(values);
});

it("filters: [KH, KW, I, O] to [O, I, KH, KW] and back", () => {
  const [height, width, inputs, outputs] = [3, 2, 4, 5];
  const values = Float32Array.from({ length: height * width * inputs * outputs }, (_, at) => at);
  const oihw = toOihw(values, inputs, outputs);
  for (const [h, w, i, o] of [
    [0, 0, 0, 0],
    [2, 1, 3, 4],
    [1, 0, 2, 3],
  ] as const) {
    expect(oihw[((o * inputs + i) * height + h) * width + w]).toBe(((h * width + w) * inputs + i) * outputs + o);
  }
  expect(toHwio(oihw, inputs, outputs)).toEqual(values);
});
