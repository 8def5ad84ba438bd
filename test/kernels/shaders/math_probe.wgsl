// math_probe — the functions of lib/math.wgsl at given points: y = (natural_log(x), cos, sin of 2πx, is_finite(x)).
// Layout x f32[count] · y vec4[count]. For tests only.
//#include "lib/index.wgsl"
//#include "lib/math.wgsl"
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn math_probe(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = workgroup_index(group, groups) * 64u + lane;
  if (at < params.count) {
    y[at] = vec4<f32>(natural_log(x[at]), cos_sin_turns(x[at]), select(0.0, 1.0, is_finite(x[at])));
  }
}
