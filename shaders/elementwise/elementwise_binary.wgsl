// elementwise_binary — y = alpha·a ∘ beta·b, with b of a's shape, one row, one column or one number.
//
//   OP 0: y = alpha a + beta b      OP 1: y = alpha a · beta b      OP 2: y = alpha a where b > 0, else 0 (ReLU cotangent; b = ReLU's output)
//   BROADCAST 0: b[i, j]   1: b[j] (row)   2: b[i] (column)   3: b[0] (scalar)
//
// Layout    a, y f32[rows, columns] row-major, read as vec4; b f32 by BROADCAST; buffers padded to 16 bytes
// Dispatch  ⌈rows·columns / (4·QUADS·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size, QUADS vec4 per invocation
// Error     |y − exact| ≤ γ_2·(|alpha a| + |beta b|) for OP 0, γ_3·|y| for OP 1, γ_1·|y| for OP 2   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  itself, with the cotangent in place of a
// Oracle    test/oracle/elementwise.ts
// Source    elementary
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const QUADS: u32 = 4u; //#knob
const OP: u32 = 0u; //#knob
const BROADCAST: u32 = 0u; //#knob
struct Params { count: u32, columns: u32, alpha: f32, beta: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

fn b_at(index: u32) -> f32 {
  var at = index;
  if (BROADCAST == 1u) {
    at = index % params.columns;
  }
  if (BROADCAST == 2u) {
    at = index / params.columns;
  }
  if (BROADCAST == 3u) {
    at = 0u;
  }
  return b[at >> 2u][at & 3u];
}

@compute @workgroup_size(WG)
fn elementwise_binary(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quads = (params.count + 3u) / 4u;
  let first = workgroup_index(group, groups) * (WG * QUADS) + lane;
  for (var step = 0u; step < QUADS; step++) { //#unroll
    let quad = first + step * WG;
    if (quad < quads) {
      let left = params.alpha * a[quad];
      var right = vec4<f32>(0.0);
      if (BROADCAST == 0u) {
        right = b[quad];
      } else {
        // Elements of the last quad beyond the end read the last valid entry and are ignored.
        let last = params.count - 1u;
        let at = quad * 4u;
        right = vec4<f32>(b_at(min(at, last)), b_at(min(at + 1u, last)), b_at(min(at + 2u, last)), b_at(min(at + 3u, last)));
      }
      if (OP == 0u) {
        y[quad] = left + params.beta * right;
      }
      if (OP == 1u) {
        y[quad] = left * (params.beta * right);
      }
      if (OP == 2u) {
        y[quad] = select(vec4<f32>(0.0), left, right > vec4<f32>(0.0));
      }
    }
  }
}
