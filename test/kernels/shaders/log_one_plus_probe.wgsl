// log_one_plus_probe — log_one_plus of lib/log_one_plus.wgsl at given points.
// Layout x f32[count] · y f32[count]. For tests only.
//#include "lib/index.wgsl"
//#include "lib/math.wgsl"
//#include "lib/log_one_plus.wgsl"
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn log_one_plus_probe(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = workgroup_index(group, groups) * 64u + lane;
  if (at < params.count) {
    y[at] = log_one_plus(x[at]);
  }
}
