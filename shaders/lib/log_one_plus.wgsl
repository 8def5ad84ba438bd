// ln(1 + x) for x >= 0, without forming 1 + x where that would round x away. Relative error at most 3.5u (u = 2^-24;
// test/kernels/sslMath.test.ts measures 3.03u: rounding 1 + x moves the logarithm of √2 by 2u of itself, natural_log adds 1.5u).
// Needs lib/math.wgsl; no bindings.
fn log_one_plus(x: f32) -> f32 {
  if (x > 0.41421356) {
    return natural_log(1.0 + x);
  }
  let x2 = x * x;
  return x + (log_series(x) * x * x2 - 0.5 * x2);
}
