/** Seeded random arrays for tests, independent of the library's own generator (xorshift128+, Vigna 2017). */
export class TestRandom {
  #a: bigint;
  #b: bigint;

  constructor(seed: number) {
    const mask = (1n << 64n) - 1n;
    this.#a = (BigInt(seed) * 0x9e3779b97f4a7c15n + 1n) & mask;
    this.#b = (BigInt(seed) * 0xbf58476d1ce4e5b9n + 0x94d049bb133111ebn) & mask;
    for (let i = 0; i < 20; i++) this.uniform();
  }

  /** Uniform on [0, 1). */
  uniform(): number {
    const mask = (1n << 64n) - 1n;
    let x = this.#a;
    const y = this.#b;
    this.#a = y;
    x ^= (x << 23n) & mask;
    this.#b = x ^ y ^ (x >> 17n) ^ (y >> 26n);
    return Number(((this.#b + y) & mask) >> 11n) * 2 ** -53;
  }

  /** Standard normal (Box–Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  normals(count: number, scale = 1): Float32Array<ArrayBuffer> {
    return Float32Array.from({ length: count }, () => scale * this.normal());
  }

  integer(below: number): number {
    return Math.floor(this.uniform() * below);
  }
}
