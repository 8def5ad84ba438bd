// cosine_rows_grad — cotangents of cosine_rows, of p alone or of both operands.
//
//   d_p[i] = −factor·(ẑ − κ_p·p̂)/‖p‖ and, with BOTH, d_z[(i + shift) mod rows] = −factor·(p̂ − κ_z·ẑ)/‖z‖;  factor = dTerms·slope
//
// Layout    p, z, d_p, d_z f32[rows, columns], p and z from elements p_offset, z_offset · stats f32[rows, 4] of cosine_rows
// Dispatch  ⌈rows·columns/WG⌉ workgroups, folded into y; an invocation owns one element of a pair of rows
// Knobs     WG workgroup size, BOTH
// Error     |d − exact| ≤ γ_6·|factor|·(|ẑ| + |κ·p̂|)/‖p‖   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/sslKernels.ts
// Source    derivative of a quotient by a norm
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const BOTH: bool = true; //#knob
struct Params { rows: u32, columns: u32, shift: u32, p_offset: u32, z_offset: u32, factor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> p: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> d_p: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_z: array<f32>;

@compute @workgroup_size(WG)
fn cosine_rows_grad(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = workgroup_index(group, groups) * WG + lane;
  if (at >= params.rows * params.columns) {
    return;
  }
  let row = at / params.columns;
  let other = ((row + params.shift) % params.rows) * params.columns + at % params.columns;
  let stat = stats[row];
  let unit = stat.xy * vec2<f32>(p[params.p_offset + at], z[params.z_offset + other]);
  d_p[at] = -params.factor * stat.x * (unit.y - stat.z * unit.x);
  if (BOTH) {
    d_z[other] = -params.factor * stat.y * (unit.x - stat.w * unit.y);
  }
}
