// The exponential near and below 0, without WGSL's built-in, whose error may be 3 + 2|x| units in the last place.

// exp(x) − 1 for x in [−87, 80]; below, −1. Relative error at most 4u (u = 2^-24; test/kernels/augment.test.ts measures it): Taylor's
// polynomial of degree 8 on [−ln 2 / 2, ln 2 / 2], where its remainder is 2^-33 of x, then 2^n·p + (2^n − 1).
fn exp_minus_one(x: f32) -> f32 {
  let bounded = clamp(x, -87.0, 80.0);
  let n = round(bounded * 1.44269504);
  // ln 2 in two parts; the first has 10 bits, so that n times it is exact.
  let r = (bounded - n * 0.693359375) + n * 2.12194440e-4;
  var p = 2.48015873e-5;
  p = p * r + 1.98412698e-4;
  p = p * r + 1.38888889e-3;
  p = p * r + 8.33333333e-3;
  p = p * r + 4.16666667e-2;
  p = p * r + 1.66666667e-1;
  p = p * r + 0.5;
  let y = r + r * r * p;
  let power = bitcast<f32>(u32(i32(n) + 127) << 23u);
  return power * y + (power - 1.0);
}
