// layer_norm_grad_affine — cotangents of layer_norm with respect to its scale and shift: sums over the rows.
//
//   d_weight[j] = Σ_i d_y[i, j]·(x[i, j] − mean[i])·r[i]      d_bias[j] = Σ_i d_y[i, j]
//
// Layout    d_y, x f32[rows, 4·quads] as vec4 · stats f32[rows, 2] (mean, r) · d_weight, d_bias f32[4·quads]
// Dispatch  (⌈quads/QUADS⌉, 1, 1); a workgroup owns QUADS channel quads, WG/QUADS rows at a time
// Knobs     WG, QUADS powers of two, QUADS ≤ WG
// Error     d_weight: γ_{k+3}·Σ|d_y|·(|x| + |mean|)·r, d_bias: γ_k·Σ|d_y|, k = ⌈rows·QUADS/WG⌉ + log2(WG/QUADS)   (γ_k =
//           k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/layerNorm.ts
// Source    Ba, Kiros & Hinton 2016
override WG: u32 = 64u;
override QUADS: u32 = 4u;
struct Params { rows: u32, quads: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> stats: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> d_weight: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> d_bias: array<vec4<f32>>;

var<workgroup> lane_sums: array<vec4<f32>, WG>;
var<workgroup> lane_products: array<vec4<f32>, WG>;

@compute @workgroup_size(WG)
fn layer_norm_grad_affine(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let quad = group.x * QUADS + lane % QUADS;
  let column = min(quad, params.quads - 1u);
  let stripes = WG / QUADS;
  var sum = vec4<f32>();
  var products = vec4<f32>();
  for (var row = lane / QUADS; row < params.rows; row += stripes) {
    let at = row * params.quads + column;
    let d = d_y[at];
    sum += d;
    products += d * ((x[at] - stats[row].x) * stats[row].y);
  }
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
  if (lane < QUADS && quad < params.quads) {
    d_weight[quad] = lane_products[lane];
    d_bias[quad] = lane_sums[lane];
  }
}
