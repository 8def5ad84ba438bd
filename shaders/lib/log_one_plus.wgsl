// ln(1 + x) for x >= 0, without forming 1 + x where that would round x away. Relative error at most 3.5u (u = 2^-24;
// test/kernels/sslMath.test.ts measures 3.03u: rounding 1 + x moves the logarithm of √2 by 2u of itself, natural_log adds 1.5u).
// The polynomial of natural_log. Needs lib/math.wgsl; no bindings.
fn log_one_plus(x: f32) -> f32 {
  if (x > 0.41421356) {
    return natural_log(1.0 + x);
  }
  let x2 = x * x;
  var p = 7.0376836292e-2;
  p = p * x - 1.1514610310e-1;
  p = p * x + 1.1676998740e-1;
  p = p * x - 1.2420140846e-1;
  p = p * x + 1.4249322787e-1;
  p = p * x - 1.6668057665e-1;
  p = p * x + 2.0000714765e-1;
  p = p * x - 2.4999993993e-1;
  p = p * x + 3.3333331174e-1;
  return x + (p * x * x2 - 0.5 * x2);
}
