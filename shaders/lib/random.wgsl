// Counter-based random numbers: threefry2x32 with 20 rounds (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3).
// threefry2x32, uniform01 and multiply_high have twins in src/data (uniform01F32, mulhi), bit for bit.

fn rotate_left(x: u32, count: u32) -> u32 {
  return (x << count) | (x >> (32u - count));
}

fn threefry_round(x: vec2<u32>, count: u32) -> vec2<u32> {
  let sum = x.x + x.y;
  return vec2<u32>(sum, rotate_left(x.y, count) ^ sum);
}

// Two independent 32-bit words for a 64-bit key and a 64-bit counter.
fn threefry2x32(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
  let k2 = 0x1bd11bdau ^ key.x ^ key.y;
  var x = counter + key;
  x = threefry_round(threefry_round(threefry_round(threefry_round(x, 13u), 15u), 26u), 6u);
  x = x + vec2<u32>(key.y, k2 + 1u);
  x = threefry_round(threefry_round(threefry_round(threefry_round(x, 17u), 29u), 16u), 24u);
  x = x + vec2<u32>(k2, key.x + 2u);
  x = threefry_round(threefry_round(threefry_round(threefry_round(x, 13u), 15u), 26u), 6u);
  x = x + vec2<u32>(key.x, key.y + 3u);
  x = threefry_round(threefry_round(threefry_round(threefry_round(x, 17u), 29u), 16u), 24u);
  x = x + vec2<u32>(key.y, k2 + 4u);
  x = threefry_round(threefry_round(threefry_round(threefry_round(x, 13u), 15u), 26u), 6u);
  return x + vec2<u32>(k2, key.x + 5u);
}

// (k + 1/2) 2^-23 with k the upper 23 bits: in (0, 1), never 0 or 1, and every step exact in f32. A 24th bit would round half of the
// values, and for the largest the logarithm of the rounded one is off by a factor of two.
fn uniform01(bits: u32) -> f32 {
  return (f32(bits >> 9u) + 0.5) * 1.1920928955078125e-7;
}

// High 32 bits of the 64-bit product.
fn multiply_high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let low = a0 * b0;
  let middle = a1 * b0 + (low >> 16u);
  let carry = a0 * b1 + (middle & 0xffffu);
  return a1 * b1 + (middle >> 16u) + (carry >> 16u);
}
