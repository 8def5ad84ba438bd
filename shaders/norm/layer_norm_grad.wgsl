// layer_norm_grad — cotangent of layer_norm with respect to x.
//
//   g = d_y·weight      x̂ = (x − mean)·r      d_x = r·( g − mean_j g − x̂·mean_j(g·x̂) )
//
// Layout    d_y, x, d_x f32[rows, 4·quads] as vec4 · stats f32[rows, 2] (mean, r) · weight f32[4·quads]
// Dispatch  ⌈rows·LANES/WG⌉ workgroups, folded into y
// Knobs     WG, LANES powers of two, LANES ≤ WG lanes share a row (a tree, barriers; 1: none); AFFINE
// Error     γ_{k+14}·r·(|g| + mean|g| + (|x| + |mean|)·r·mean(|g|·(|x| + |mean|)·r)), k = 3 + ⌈quads/LANES⌉ + log2 LANES
//           (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/layerNorm.ts
// Source    Ba, Kiros & Hinton 2016, with the terms of mean and variance collected
//#include "lib/index.wgsl"
override WG: u32 = 64u;
override LANES: u32 = 64u;
const AFFINE: bool = true; //#knob
struct Params { rows: u32, quads: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> stats: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> d_x: array<vec4<f32>>;

var<workgroup> lane_sums: array<vec4<f32>, WG>;
var<workgroup> lane_products: array<vec4<f32>, WG>;

fn cotangent(at: u32, quad: u32) -> vec4<f32> {
  var g = d_y[at];
  if (AFFINE) {
    g = g * weight[quad];
  }
  return g;
}

@compute @workgroup_size(WG)
fn layer_norm_grad(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(group, groups) * (WG / LANES) + lane / LANES;
  let inside = min(row, params.rows - 1u);
  let base = inside * params.quads;
  let first = lane % LANES;
  let mean = stats[inside].x;
  let inverse_std = stats[inside].y;
  var sums = vec4<f32>();
  var products = vec4<f32>();
  for (var quad = first; quad < params.quads; quad += LANES) {
    let g = cotangent(base + quad, quad);
    sums += g;
    products += g * ((x[base + quad] - mean) * inverse_std);
  }
  if (LANES > 1u) {
    lane_sums[lane] = sums;
    lane_products[lane] = products;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
      if (first < half) {
        lane_sums[lane] = lane_sums[lane] + lane_sums[lane + half];
        lane_products[lane] = lane_products[lane] + lane_products[lane + half];
      }
      workgroupBarrier();
    }
    sums = lane_sums[lane - first];
    products = lane_products[lane - first];
  }
  let count = f32(4u * params.quads);
  let mean_g = ((sums.x + sums.y) + (sums.z + sums.w)) / count;
  let mean_product = ((products.x + products.y) + (products.z + products.w)) / count;
  if (row < params.rows) {
    for (var quad = first; quad < params.quads; quad += LANES) {
      let normalized = (x[base + quad] - mean) * inverse_std;
      d_x[base + quad] = inverse_std * (cotangent(base + quad, quad) - mean_g - normalized * mean_product);
    }
  }
}
