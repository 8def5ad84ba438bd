// vicreg_pull — the part of VICReg's gradient that stays inside a column: invariance and the hinge on the standard deviation.
//
//   e[v, i, j] = ±2·invariance·(z_0 − z_1)[i, j] + slope[v, j]·centered[v, i, j],   + for v = 0
//
// Layout    z, centered, e f32[2, rows, columns], count = rows·columns · slope f32[2, columns]
// Dispatch  ⌈count/WG⌉ workgroups, folded into y; an invocation does both views of one element
// Knobs     WG workgroup size
// Error     |e − exact| ≤ γ_4·(2·invariance·(|z_0| + |z_1|) + |slope·centered|)   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated
// Oracle    test/oracle/sslKernels.ts
// Source    derivative of ssl/vicreg_columns.wgsl
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params { count: u32, columns: u32, invariance: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> centered: array<f32>;
@group(0) @binding(3) var<storage, read> slope: array<f32>;
@group(0) @binding(4) var<storage, read_write> e: array<f32>;

@compute @workgroup_size(WG)
fn vicreg_pull(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = workgroup_index(group, groups) * WG + lane;
  if (at < params.count) {
    let column = at % params.columns;
    let pull = 2.0 * params.invariance * (z[at] - z[params.count + at]);
    e[at] = pull + slope[column] * centered[at];
    e[params.count + at] = slope[params.columns + column] * centered[params.count + at] - pull;
  }
}
