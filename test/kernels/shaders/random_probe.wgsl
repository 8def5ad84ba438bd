// random_probe — the functions of lib/random.wgsl: for each (key, counter), y = (threefry2x32 twice, multiply_high(key), bits of
// uniform01(counter.x)).
// Layout x vec4<u32>[count] (key, counter) · y vec4<u32>[count]. For tests only.
//#include "lib/random.wgsl"
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<u32>>;

@compute @workgroup_size(64)
fn random_probe(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < params.count) {
    let word = x[id.x];
    let bits = threefry2x32(word.xy, word.zw);
    y[id.x] = vec4<u32>(bits, multiply_high(word.x, word.y), bitcast<u32>(uniform01(word.z)));
  }
}
