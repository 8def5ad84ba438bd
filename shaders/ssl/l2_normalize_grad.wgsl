// l2_normalize_grad — cotangent of l2_normalize in all its modes.
//
//   dx[i, j] = s_i · ( dy[i, j] − k_i · y[i, j] · Σ_l y[i, l]·dy[i, l] ),   stats[i] = (s_i, k_i)
//
// Layout    d_y, y f32[rows, stride] · stats f32[rows, 2] · d_x f32[rows, columns], columns ≤ stride
// Dispatch  ⌈rows·LANES/WG⌉ workgroups, folded into y; LANES invocations a row
// Knobs     WG, LANES powers of two, LANES ≤ WG
// Error     |dx − exact| ≤ γ_k·|s|·(|dy| + |k·y|·Σ|y·dy|), k = ⌈columns/LANES⌉ + log2 LANES + 5   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/sslKernels.ts
// Source    the projector I − ŷ·ŷᵀ of Tian et al. 2020 for normalised outputs, with the factor that each mode's derivative has
//#include "lib/index.wgsl"
override WG: u32 = 64u;
override LANES: u32 = 16u;
struct Params { rows: u32, columns: u32, stride: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_y: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_x: array<f32>;

//#include "lib/row_sum.wgsl"

@compute @workgroup_size(WG)
fn l2_normalize_grad(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (workgroup_index(group, groups) * WG + lane) / LANES;
  let is_inside = index < params.rows;
  let row = min(index, params.rows - 1u);
  let base = row * params.stride;
  let first = lane % LANES;
  var products = 0.0;
  for (var column = first; column < params.columns; column += LANES) {
    products += y[base + column] * d_y[base + column];
  }
  let product = row_sum(vec4<f32>(products, 0.0, 0.0, 0.0), lane).x;
  if (is_inside) {
    let scale = stats[2u * row];
    let along = stats[2u * row + 1u] * product;
    for (var column = first; column < params.columns; column += LANES) {
      d_x[row * params.columns + column] = scale * (d_y[base + column] - along * y[base + column]);
    }
  }
}
