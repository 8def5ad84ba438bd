/**
 * Reference of shaders/lib/random.wgsl and shaders/random: threefry in BigInt from the definition in Salmon et al. 2011 (words
 * modulo 2³²), distributions in float64.
 */

const MASK = 0xffff_ffffn;
/** R_32x2 of Random123: rotation of round r is ROTATION[r mod 8]. */
const ROTATION = [13n, 15n, 26n, 6n, 17n, 29n, 16n, 24n];

/** Threefry-2x32 with 20 rounds; a key injection after every fourth round. */
export function threefry(
  key: readonly [number, number],
  counter: readonly [number, number],
  rounds = 20,
): [number, number] {
  const k0 = BigInt(key[0]);
  const k1 = BigInt(key[1]);
  const schedule = [k0, k1, 0x1bd11bdan ^ k0 ^ k1];
  let x0 = (BigInt(counter[0]) + k0) & MASK;
  let x1 = (BigInt(counter[1]) + k1) & MASK;
  for (let r = 0; r < rounds; r++) {
    const by = ROTATION[r % 8]!;
    x0 = (x0 + x1) & MASK;
    x1 = ((x1 << by) | (x1 >> (32n - by))) & MASK;
    x1 ^= x0;
    if (r % 4 === 3) {
      const s = (r + 1) / 4;
      x0 = (x0 + schedule[s % 3]!) & MASK;
      x1 = (x1 + schedule[(s + 1) % 3]! + BigInt(s)) & MASK;
    }
  }
  return [Number(x0), Number(x1)];
}

/** The upper 23 bits of a word as a number in (0, 1): (k + 1/2)·2⁻²³, a number that f32 has exactly. */
export function uniform01(bits: number): number {
  return (Math.floor(bits / 2 ** 9) + 0.5) * 2 ** -23;
}

/** Upper 32 bits of the product of two 32-bit words. */
export function multiplyHigh(a: number, b: number): number {
  return Number((BigInt(a) * BigInt(b)) >> 32n);
}

/** offset + scale·(uniform or standard normal); elements 2c and 2c + 1 come from counter c, normals by Box–Muller. */
export function randomFill(
  count: number,
  options: { seed: number; stream: number; normal: boolean; scale: number; offset: number },
): Float64Array {
  const y = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const bits = threefry([options.seed, options.stream], [Math.floor(i / 2), 0]);
    const first = uniform01(bits[0]);
    const second = uniform01(bits[1]);
    let value = i % 2 === 0 ? first : second;
    if (options.normal) {
      const radius = Math.sqrt(-2 * Math.log(first));
      value = radius * (i % 2 === 0 ? Math.cos(2 * Math.PI * second) : Math.sin(2 * Math.PI * second));
    }
    y[i] = options.offset + options.scale * value;
  }
  return y;
}
