// batch_norm_apply — combines the partial moments of batch_norm_stats and normalises; optional scale and shift, residual add and ReLU.
//
//   mean = Σ x / n      var = Σ (x − mean)² / (n − 1)      r = 1/√(variance_factor·var + epsilon), 1 without DIVIDE
//   y = relu( (x − mean)·(weight·r) + bias + addend )      moments = (mean, var), padded with zeros
//
//   variance_factor (n − 1)/n gives BatchNorm's biased variance. RUNNING: partials holds (mean, var) as given, copied to moments.
//
// Layout    x, addend, y f32[rows, 4·quads] as vec4 · partials f32[parts, 2, 4·quads] or [2, 4·quads] · weight, bias f32[4·quads] ·
//           moments f32[4·padded_quads], padded_quads ≥ 2·quads
// Dispatch  (⌈quads/QUADS⌉, ⌈rows/chunk⌉, 1)
// Knobs     WG, QUADS powers of two, QUADS ≤ WG; SHARED: lanes that share channels combine the parts together (barriers), else each alone;
//           RUNNING, SUBTRACT_MEAN, DIVIDE, AFFINE (weight and bias), ADDEND, RELU
// Error     y: (|x − mean|·(γ_9 + ρ) + e)·|weight|·r + γ_4·(|bias| + |addend| + |y|), where e and ρ are the errors of mean and r
//           that follow
//           from those of the partials (test/kernels/batchNorm.test.ts)   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  norm/batch_norm_grad_reduce.wgsl, norm/batch_norm_grad_apply.wgsl
// Oracle    test/oracle/batchNorm.ts
// Source    Ioffe & Szegedy 2015, Algorithms 1 and 2; Chan, Golub & LeVeque 1983
//#include "lib/moments.wgsl"
override WG: u32 = 64u;
override QUADS: u32 = 16u;
const SHARED: bool = true; //#knob
const RUNNING: bool = false; //#knob
const SUBTRACT_MEAN: bool = true; //#knob
const DIVIDE: bool = true; //#knob
const AFFINE: bool = false; //#knob
const ADDEND: bool = false; //#knob
const RELU: bool = false; //#knob
struct Params {
  rows: u32,
  quads: u32,
  parts: u32,
  part_rows: u32,
  chunk: u32,
  padded_quads: u32,
  epsilon: f32,
  variance_factor: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> moments: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn batch_norm_apply(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let stripes = WG / QUADS;
  let stripe = lane / QUADS;
  let quad = group.x * QUADS + lane % QUADS;
  let column = min(quad, params.quads - 1u);
  var mean = partials[column];
  var variance = partials[params.quads + column];
  if (!RUNNING) {
    var total = Moments(0.0, vec4<f32>(), vec4<f32>());
    let first_part = select(0u, stripe, SHARED);
    let part_step = select(1u, stripes, SHARED);
    for (var part = first_part; part < params.parts; part += part_step) {
      let at = part * 2u * params.quads + column;
      let start = min(part * params.part_rows, params.rows);
      let count = min(params.part_rows, params.rows - start);
      total = merge_moments(total, Moments(f32(count), partials[at], partials[at + params.quads]));
    }
    if (SHARED) {
      total = workgroup_moments(total, lane);
    }
    mean = total.sum / f32(params.rows);
    variance = total.squares / f32(params.rows - 1u);
  }
  if (group.y == 0u) {
    if (stripe == 0u && quad < params.quads) {
      moments[quad] = mean;
      moments[params.quads + quad] = variance;
    }
    if (group.x == 0u) {
      for (var at = 2u * params.quads + lane; at < params.padded_quads; at += WG) {
        moments[at] = vec4<f32>();
      }
    }
  }
  var factor = vec4<f32>(1.0);
  var offset = vec4<f32>();
  if (DIVIDE) {
    factor = 1.0 / sqrt(params.variance_factor * variance + params.epsilon);
  }
  if (AFFINE) {
    factor = factor * weight[column];
    offset = bias[column];
  }
  let start = group.y * params.chunk;
  let end = select(0u, min(start + params.chunk, params.rows), quad < params.quads);
  for (var row = start + stripe; row < end; row += stripes) {
    let at = row * params.quads + quad;
    var value = x[at];
    if (SUBTRACT_MEAN) {
      value = value - mean;
    }
    value = value * factor;
    if (AFFINE) {
      value = value + offset;
    }
    if (ADDEND) {
      value = value + addend[at];
    }
    if (RELU) {
      value = max(value, vec4<f32>());
    }
    y[at] = value;
  }
}
