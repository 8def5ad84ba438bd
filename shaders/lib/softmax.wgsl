// The two elementary functions of a softmax, relative to their own size; needs lib/math.wgsl for natural_log. No bindings.

// exp(x). Relative error at most 2u for x in [-87, 88] (u = 2^-24; test/kernels/sslMath.test.ts measures it); 0 below, e^88 above.
// Polynomial of Cephes expf on [-ln 2 / 2, ln 2 / 2].
fn exponential(x: f32) -> f32 {
  let bounded = clamp(x, -87.0, 88.0);
  let n = round(bounded * 1.44269504);
  // ln 2 in two parts; the first has 9 bits, so that n times it is exact.
  let r = (bounded - n * 0.693359375) + n * 2.12194440e-4;
  var p = 1.9875691500e-4;
  p = p * r + 1.3981999507e-3;
  p = p * r + 8.3334519073e-3;
  p = p * r + 4.1665795894e-2;
  p = p * r + 1.6666665459e-1;
  p = p * r + 5.0000001201e-1;
  let y = (r * r * p + r) + 1.0;
  return select(0.0, y * bitcast<f32>(u32(i32(n) + 127) << 23u), x >= -87.0);
}

// ln(1 + x) for x >= 0, without forming 1 + x where that would round x away. Relative error at most 3u. The polynomial of natural_log.
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
