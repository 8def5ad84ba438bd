// exponential_probe — lib/exponential.wgsl at given points: y = exp_minus_one(x).
// Layout x, y f32[count]. For tests only.
//#include "lib/exponential.wgsl"
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn exponential_probe(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < params.count) {
    y[id.x] = exp_minus_one(x[id.x]);
  }
}
