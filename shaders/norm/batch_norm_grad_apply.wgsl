// batch_norm_grad_apply — combines the partial sums of batch_norm_grad_reduce and gives the cotangents of x, weight and bias.
//
//   d_weight = Σ d·x̂      d_bias = Σ d      both in d_affine: at 0 and at bias_quads, zeros between, as two segments of a flat buffer lie
//   d_x = weight·r·( d − [MEAN_GRAD] d_bias/n − [VARIANCE_GRAD] (x − mean)·r·variance_weight·d_weight )
//
//   with d already masked by the ReLU and variance_weight = variance_factor/(n − 1), 1/n for the biased variance. Without MEAN_GRAD or
//   VARIANCE_GRAD the mean or the variance is detached (or omitted, or a running average).
//
// Layout    d, x, d_x f32[rows, 4·quads] as vec4 · partials f32[parts, 2, 4·quads] · moments f32[≥ 2·4·quads] (mean, unbiased variance) ·
//           weight f32[4·quads] · d_affine f32[4·(bias_quads + quads)]
// Dispatch  (⌈quads/QUADS⌉, ⌈rows/chunk⌉, 1)
// Knobs     WG, QUADS powers of two, QUADS ≤ WG; SHARED: lanes that share channels combine the parts together (barriers), else each alone;
//           DIVIDE, AFFINE, MEAN_GRAD, VARIANCE_GRAD
// Error     γ_{k+30}·weight·r·(|d| + Σ|d|/n + |x − mean|·r·Σ|d|·(|x| + |mean|)·r/n), k additions per sum   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/batchNorm.ts
// Source    Ioffe & Szegedy 2015, §3, with the terms of mean and variance collected
override WG: u32 = 64u;
override QUADS: u32 = 16u;
const SHARED: bool = true; //#knob
const DIVIDE: bool = true; //#knob
const AFFINE: bool = false; //#knob
const MEAN_GRAD: bool = true; //#knob
const VARIANCE_GRAD: bool = true; //#knob
struct Params {
  rows: u32,
  quads: u32,
  parts: u32,
  chunk: u32,
  bias_quads: u32,
  epsilon: f32,
  variance_factor: f32,
  variance_weight: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> d: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> moments: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> d_x: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> d_affine: array<vec4<f32>>;

var<workgroup> lane_sums: array<vec4<f32>, WG>;
var<workgroup> lane_products: array<vec4<f32>, WG>;

@compute @workgroup_size(WG)
fn batch_norm_grad_apply(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let stripes = WG / QUADS;
  let stripe = lane / QUADS;
  let quad = group.x * QUADS + lane % QUADS;
  let column = min(quad, params.quads - 1u);
  var sum = vec4<f32>();
  var products = vec4<f32>();
  let part_step = select(1u, stripes, SHARED);
  for (var part = select(0u, stripe, SHARED); part < params.parts; part += part_step) {
    let at = part * 2u * params.quads + column;
    sum += partials[at];
    products += partials[at + params.quads];
  }
  if (SHARED) {
    lane_sums[lane] = sum;
    lane_products[lane] = products;
    workgroupBarrier();
    for (var half = WG / 2u; half >= QUADS; half = half / 2u) {
      if (lane < half) {
        lane_sums[lane] = lane_sums[lane] + lane_sums[lane + half];
        lane_products[lane] = lane_products[lane] + lane_products[lane + half];
      }
      workgroupBarrier();
    }
    sum = lane_sums[lane % QUADS];
    products = lane_products[lane % QUADS];
  }
  if (group.y == 0u) {
    if (stripe == 0u && quad < params.quads) {
      d_affine[quad] = products;
      d_affine[params.bias_quads + quad] = sum;
    }
    if (group.x == 0u) {
      for (var at = params.quads + lane; at < params.bias_quads; at += WG) {
        d_affine[at] = vec4<f32>();
      }
    }
  }
  var inverse_std = vec4<f32>(1.0);
  if (DIVIDE) {
    inverse_std = 1.0 / sqrt(params.variance_factor * moments[params.quads + column] + params.epsilon);
  }
  var factor = inverse_std;
  if (AFFINE) {
    factor = factor * weight[column];
  }
  let mean = moments[column];
  let shift = sum / f32(params.rows);
  let slope = params.variance_weight * inverse_std * products;
  let start = group.y * params.chunk;
  let end = select(0u, min(start + params.chunk, params.rows), quad < params.quads);
  for (var row = start + stripe; row < end; row += stripes) {
    let at = row * params.quads + quad;
    var value = d[at];
    if (MEAN_GRAD) {
      value = value - shift;
    }
    if (VARIANCE_GRAD) {
      value = value - (x[at] - mean) * slope;
    }
    d_x[at] = factor * value;
  }
}
