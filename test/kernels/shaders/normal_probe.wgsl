// normal_probe — functions of lib/math.wgsl at given points: y = (exponential(x), Φ(x), φ(x), 0).
// Layout x f32[count] · y vec4[count]. For tests only.
//#include "lib/index.wgsl"
//#include "lib/math.wgsl"
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn normal_probe(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = workgroup_index(group, groups) * 64u + lane;
  if (at < params.count) {
    y[at] = vec4<f32>(exponential(x[at]), normal_cdf_pdf(x[at]), 0.0);
  }
}
