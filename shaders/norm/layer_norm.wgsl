// layer_norm — normalises each row to mean 0 and variance 1, then scales and shifts its columns.
//
//   mean = Σ_j x[i, j] / n      var = Σ_j (x[i, j] − mean)² / n   (a second pass: E[x²] − E[x]² cancels in f32)
//   y[i, j] = (x[i, j] − mean)·r·weight[j] + bias[j],   r = 1/√(var + epsilon)      stats[i] = (mean, r)
//
// Layout    x, y f32[rows, 4·quads] as vec4 · weight, bias f32[4·quads] · stats f32[rows, 2]
// Dispatch  ⌈rows·LANES/WG⌉ workgroups, folded into y
// Knobs     WG, LANES powers of two, LANES ≤ WG lanes share a row (a tree, barriers; 1: none); AFFINE
// Error     as column_standardize: mean γ_{k+5}·mean|x|, k = 3 + ⌈quads/LANES⌉ + log2 LANES; y as test/kernels/layerNorm.test.ts derives
//           (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  norm/layer_norm_grad.wgsl, norm/layer_norm_grad_affine.wgsl
// Oracle    test/oracle/layerNorm.ts
// Source    Ba, Kiros & Hinton 2016, §3
//#include "lib/index.wgsl"
override WG: u32 = 64u;
override LANES: u32 = 64u;
const AFFINE: bool = true; //#knob
struct Params { rows: u32, quads: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec2<f32>>;

var<workgroup> lane_sums: array<vec4<f32>, WG>;

// Sum over the four components and over the lanes of a row, in each of them.
fn row_sum(own: vec4<f32>, lane: u32) -> f32 {
  var sum = own;
  if (LANES > 1u) {
    lane_sums[lane] = own;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
      if (lane % LANES < half) {
        lane_sums[lane] = lane_sums[lane] + lane_sums[lane + half];
      }
      workgroupBarrier();
    }
    sum = lane_sums[lane - lane % LANES];
    workgroupBarrier();
  }
  return (sum.x + sum.y) + (sum.z + sum.w);
}

@compute @workgroup_size(WG)
fn layer_norm(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups) * (WG / LANES) + lane / LANES;
  let is_inside = row < params.rows;
  // Rows beyond the end repeat the last one and store nothing.
  let base = min(row, params.rows - 1u) * params.quads;
  let first = lane % LANES;
  let count = f32(4u * params.quads);
  var sum = vec4<f32>();
  for (var quad = first; quad < params.quads; quad += LANES) {
    sum += x[base + quad];
  }
  let mean = row_sum(sum, lane) / count;
  var squares = vec4<f32>();
  for (var quad = first; quad < params.quads; quad += LANES) {
    let deviation = x[base + quad] - mean;
    squares += deviation * deviation;
  }
  let inverse_std = 1.0 / sqrt(row_sum(squares, lane) / count + params.epsilon);
  if (is_inside) {
    for (var quad = first; quad < params.quads; quad += LANES) {
      var value = (x[base + quad] - mean) * inverse_std;
      if (AFFINE) {
        value = value * weight[quad] + bias[quad];
      }
      y[base + quad] = value;
    }
    if (first == 0u) {
      stats[row] = vec2<f32>(mean, inverse_std);
    }
  }
}
