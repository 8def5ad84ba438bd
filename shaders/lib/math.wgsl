// Elementary functions with stated bounds. WGSL lets the built-ins be poor (a sine may be off by 2^-11; SwiftShader's is off by
// 1.9e-4), so kernels use these and a test forbids the built-ins elsewhere. Bounds are measured by test/kernels/math.test.ts.

// Natural logarithm of a positive normal x. Relative error at most 1.5u (u = 2^-24; 1.31u measured), also beside 1,
// where it is exact. Polynomial of Cephes logf on [sqrt(1/2) - 1, sqrt(2) - 1].
fn natural_log(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  var exponent = f32(bits >> 23u) - 126.0;
  var m = bitcast<f32>((bits & 0x007fffffu) | 0x3f000000u);
  if (m < 0.70710678) {
    exponent = exponent - 1.0;
    m = m + m;
  }
  m = m - 1.0;
  let m2 = m * m;
  var p = 7.0376836292e-2;
  p = p * m - 1.1514610310e-1;
  p = p * m + 1.1676998740e-1;
  p = p * m - 1.2420140846e-1;
  p = p * m + 1.4249322787e-1;
  p = p * m - 1.6668057665e-1;
  p = p * m + 2.0000714765e-1;
  p = p * m - 2.4999993993e-1;
  p = p * m + 3.3333331174e-1;
  var y = p * m * m2;
  y = y + exponent * -2.12194440e-4;
  y = y - 0.5 * m2;
  return (m + y) + exponent * 0.693359375;
}

// vec2(cos, sin) of 2 pi u for u in [0, 1]. Absolute error at most 2^-23 = 2u (1.79u measured). The reduction to an eighth of a turn is exact in turns;
// polynomials of Cephes sinf and cosf on [-pi/4, pi/4].
fn cos_sin_turns(u: f32) -> vec2<f32> {
  let quarter = floor(4.0 * u + 0.5);
  let x = 6.2831853 * (u - 0.25 * quarter);
  let x2 = x * x;
  let sine = x + x * x2 * (-1.6666654611e-1 + x2 * (8.3321608736e-3 + x2 * -1.9515295891e-4));
  let cosine = 1.0 - 0.5 * x2 + x2 * x2 * (4.166664568298827e-2 + x2 * (-1.388731625493765e-3 + x2 * 2.443315711809948e-5));
  let turn = u32(quarter) & 3u;
  if (turn == 0u) {
    return vec2<f32>(cosine, sine);
  }
  if (turn == 1u) {
    return vec2<f32>(-sine, cosine);
  }
  if (turn == 2u) {
    return vec2<f32>(-cosine, -sine);
  }
  return vec2<f32>(sine, -cosine);
}

// True unless x is NaN or infinite; by bits, since WGSL may assume that neither occurs.
fn is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
