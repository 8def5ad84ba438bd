// elementwise_unary — y = max(alpha·x + beta, floor), a scaled copy, an offset or a ReLU.
//
//   RELU false: y = alpha x + beta      RELU true: y = max(alpha x + beta, 0)
//
// Layout    x, y f32[count], read as vec4; buffers padded to 16 bytes
// Dispatch  ⌈count / (4·QUADS·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size, QUADS vec4 per invocation
// Error     |y − exact| ≤ γ_2·(|alpha x| + |beta|)   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  elementwise_unary (scale) and elementwise_binary OP 2 (ReLU)
// Oracle    test/oracle/elementwise.ts
// Source    elementary
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const QUADS: u32 = 4u; //#knob
const RELU: bool = false; //#knob
struct Params { count: u32, alpha: f32, beta: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn elementwise_unary(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quads = (params.count + 3u) / 4u;
  let first = workgroup_index(group, groups) * (WG * QUADS) + lane;
  for (var step = 0u; step < QUADS; step++) { //#unroll
    let quad = first + step * WG;
    if (quad < quads) {
      let value = params.alpha * x[quad] + vec4<f32>(params.beta);
      if (RELU) {
        y[quad] = max(value, vec4<f32>(0.0));
      } else {
        y[quad] = value;
      }
    }
  }
}
