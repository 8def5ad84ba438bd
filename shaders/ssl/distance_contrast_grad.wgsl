// distance_contrast_grad — cotangents of anchors, positives and negatives from the slopes of a loss of half squared distances.
//
//   with σ = factor·slopes[row] = (σ₊, σ_1 … σ_H):
//   d_positive = −σ₊·(a − p),  d_negatives[k] = −σ_k·(a − n_k),  d_anchor = σ₊·(a − p) + Σ_k σ_k·(a − n_k)
//
// Layout    anchor, positive, d_anchor, d_positive f32[rows, columns] · negatives, d_negatives f32[rows, H, columns] ·
//           slopes f32[rows, 1 + H]
// Dispatch  ⌈rows·columns/WG⌉ workgroups, folded into y; an invocation owns one dimension of one anchor with all its negatives
// Knobs     WG workgroup size
// Error     ≤ γ_{H+4}·Σ|σ_k|·(|a| + |n_k|)   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/sslKernels.ts
// Source    chain rule; the sum over the towers is the covariance operator of Tian et al. 2020, Theorem 1
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params { rows: u32, columns: u32, negatives: u32, factor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> anchor: array<f32>;
@group(0) @binding(2) var<storage, read> positive: array<f32>;
@group(0) @binding(3) var<storage, read> negatives: array<f32>;
@group(0) @binding(4) var<storage, read> slopes: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_anchor: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_positive: array<f32>;
@group(0) @binding(7) var<storage, read_write> d_negatives: array<f32>;

@compute @workgroup_size(WG)
fn distance_contrast_grad(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = workgroup_index(group, groups) * WG + lane;
  if (at >= params.rows * params.columns) {
    return;
  }
  let row = at / params.columns;
  let column = at % params.columns;
  let start = row * (params.negatives + 1u);
  let a = anchor[at];
  let near = params.factor * slopes[start] * (a - positive[at]);
  d_positive[at] = -near;
  var sum = near;
  for (var k = 0u; k < params.negatives; k++) {
    let other = (row * params.negatives + k) * params.columns + column;
    let far = params.factor * slopes[start + 1u + k] * (a - negatives[other]);
    d_negatives[other] = -far;
    sum += far;
  }
  d_anchor[at] = sum;
}
