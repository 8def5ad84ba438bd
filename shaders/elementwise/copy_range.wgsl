// copy_range — copies a run of elements between any two element positions, for views that no kernel can bind directly.
//
//   y[y_offset + i] = x[x_offset + i],  i = 0 … count − 1
//
// Layout    x, y words of 32 bits, f32 or u32: bits are copied, so that no denormal is flushed
// Dispatch  ⌈count/(4·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     exact
// Backward  itself, the other way
// Oracle    test/oracle/elementwise.ts
// Source    elementary
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params { count: u32, x_offset: u32, y_offset: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(WG)
fn copy_range(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * (4u * WG) + lane;
  for (var step = 0u; step < 4u; step++) { //#unroll
    let at = first + step * WG;
    if (at < params.count) {
      y[params.y_offset + at] = x[params.x_offset + at];
    }
  }
}
