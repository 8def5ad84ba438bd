// Elementary functions with stated bounds. WGSL lets the built-ins be poor (a sine may be off by 2^-11; SwiftShader's is off by
// 1.9e-4), so kernels use these and a test forbids the built-ins elsewhere. Bounds are measured by test/kernels/math.test.ts.

// (ln(1 + x) − x + x²/2)/x³ on [sqrt(1/2) - 1, sqrt(2) - 1]: polynomial of Cephes logf.
fn log_series(x: f32) -> f32 {
  var p = 7.0376836292e-2;
  p = p * x - 1.1514610310e-1;
  p = p * x + 1.1676998740e-1;
  p = p * x - 1.2420140846e-1;
  p = p * x + 1.4249322787e-1;
  p = p * x - 1.6668057665e-1;
  p = p * x + 2.0000714765e-1;
  p = p * x - 2.4999993993e-1;
  return p * x + 3.3333331174e-1;
}

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
  var y = log_series(m) * m * m2;
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

// exp(x) for x in [-87, 88], 0 below and exp(88) above. Relative error at most 2u (1.31u measured, test/kernels/gelu.test.ts).
// Reduction by ln 2 in two parts and polynomial of Cephes expf on [-ln 2 / 2, ln 2 / 2].
fn exponential(x: f32) -> f32 {
  let bounded = clamp(x, -87.0, 88.0);
  let n = floor(bounded * 1.44269504 + 0.5);
  let r = (bounded - n * 0.693359375) + n * 2.12194440e-4;
  var p = 1.9875691500e-4;
  p = p * r + 1.3981999507e-3;
  p = p * r + 8.3334519073e-3;
  p = p * r + 4.1665795894e-2;
  p = p * r + 1.6666665459e-1;
  p = p * r + 5.0000001201e-1;
  let value = (p * r * r + r) + 1.0;
  return select(value * bitcast<f32>(u32(i32(n) + 127) << 23u), 0.0, x < -87.0);
}

// vec2(distribution function, density) of the standard normal distribution at x. Absolute errors at most 2u and 1u (u = 2^-24; 1.83u and
// 0.72u measured, test/kernels/gelu.test.ts). Polynomials of Cephes erff and erfcf; the exponential serves both.
fn normal_cdf_pdf(x: f32) -> vec2<f32> {
  let t = abs(x) * 0.70710678;
  let e = exponential(-0.5 * x * x);
  let density = 0.39894228 * e;
  if (t < 1.0) {
    let z = t * t;
    var p = 7.853861353153693e-5;
    p = p * z - 8.010193625184903e-4;
    p = p * z + 5.188327685732524e-3;
    p = p * z - 2.685381193529856e-2;
    p = p * z + 1.128358514861418e-1;
    p = p * z - 3.761262582423300e-1;
    p = p * z + 1.128379165726710;
    return vec2<f32>(0.5 + select(-0.5, 0.5, x > 0.0) * (t * p), density);
  }
  // erfc(t) = e/t · polynomial(1/t²), one for t ≤ 2 and one beyond.
  let q = 1.0 / t;
  let z = q * q;
  var p = 2.326819970068386e-2;
  p = p * z - 1.387039388740657e-1;
  p = p * z + 3.687424674597105e-1;
  p = p * z - 5.824733027278666e-1;
  p = p * z + 6.210004621745983e-1;
  p = p * z - 4.944515323274145e-1;
  p = p * z + 3.404879937665872e-1;
  p = p * z - 2.741127028184656e-1;
  p = p * z + 5.638259427386472e-1;
  if (t > 2.0) {
    p = -1.047766399936249e+1;
    p = p * z + 1.297719955372516e+1;
    p = p * z - 7.495518717768503;
    p = p * z + 2.921019019210786;
    p = p * z - 1.015265279202700;
    p = p * z + 4.218463358204948e-1;
    p = p * z - 2.820767439740514e-1;
    p = p * z + 5.641895067754075e-1;
  }
  let tail = 0.5 * e * q * p;
  return vec2<f32>(select(tail, 1.0 - tail, x > 0.0), density);
}

// True unless x is NaN or infinite; by bits, since WGSL may assume that neither occurs.
fn is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
