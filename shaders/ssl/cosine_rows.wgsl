// cosine_rows — per row, an affine function of the cosine between a row of p and the shifted row of z.
//
//   p̂ = p / max(‖p‖, ε), ẑ = z / max(‖z‖, ε), z's row (i + shift) mod rows
//   terms[i] = offset + slope·(1 − p̂·ẑ); 1 − cos is formed as ½‖p̂ − ẑ‖², without cancelling (directly where a norm is ≤ ε)
//   stats[i] = (1/‖p‖, 1/‖z‖, κ_p, κ_z), the norms bounded by ε; κ = p̂·ẑ, or 0 where the norm is ≤ ε (there p̂ is linear in p)
//
// Layout    p, z f32[rows, columns] from elements p_offset, z_offset · stats f32[rows, 4] · terms f32[rows]
// Dispatch  ⌈rows·LANES/WG⌉ workgroups, folded into y; LANES invocations a row
// Knobs     WG, LANES powers of two, LANES ≤ WG
// Error     |term − exact| ≤ γ_k·(|offset| + |slope|·(Σ|p̂ − ẑ|(|p̂| + |ẑ|) + Σ(p̂ − ẑ)²)), k = 2·⌈columns/LANES⌉ + log2 LANES + 12
//           (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  ssl/cosine_rows_grad.wgsl
// Oracle    test/oracle/sslKernels.ts
// Source    Grill et al. 2020, eq. 2 (BYOL); Chen & He 2021, eq. 1 (SimSiam)
//#include "lib/index.wgsl"
override WG: u32 = 64u;
override LANES: u32 = 16u;
struct Params { rows: u32, columns: u32, shift: u32, p_offset: u32, z_offset: u32, epsilon: f32, offset: f32, slope: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> p: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> terms: array<f32>;

//#include "lib/row_sum.wgsl"

@compute @workgroup_size(WG)
fn cosine_rows(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (workgroup_index(group, groups) * WG + lane) / LANES;
  let row = min(index, params.rows - 1u);
  let at = params.p_offset + row * params.columns;
  let zt = params.z_offset + ((row + params.shift) % params.rows) * params.columns;
  let first = lane % LANES;
  var squares = vec4<f32>(0.0);
  for (var column = first; column < params.columns; column += LANES) {
    let pair = vec2<f32>(p[at + column], z[zt + column]);
    squares += vec4<f32>(pair * pair, 0.0, 0.0);
  }
  let norms = sqrt(row_sum(squares, lane).xy);
  let inverse = vec2<f32>(1.0) / max(norms, vec2<f32>(params.epsilon));
  var products = vec4<f32>(0.0);
  for (var column = first; column < params.columns; column += LANES) {
    let pair = inverse * vec2<f32>(p[at + column], z[zt + column]);
    let difference = pair.x - pair.y;
    products += vec4<f32>(difference * difference, pair.x * pair.y, 0.0, 0.0);
  }
  let totals = row_sum(products, lane);
  let is_normal = norms > vec2<f32>(params.epsilon);
  if (index < params.rows && first == 0u) {
    let distance = select(1.0 - totals.y, 0.5 * totals.x, all(is_normal));
    terms[row] = params.offset + params.slope * distance;
    stats[row] = vec4<f32>(inverse, select(vec2<f32>(0.0), vec2<f32>(totals.y), is_normal));
  }
}
