// gather_rows — rows of a table at given indices: a batch of features or labels.
//
//   y[i, :] = x[indices[i], :]
//
// Layout    x[.., columns], y[rows, columns] words of 32 bits, f32 or u32: bits are copied · indices u32[rows], below x's rows
// Dispatch  ⌈rows·columns/(4·WG)⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     exact
// Backward  not differentiated
// Oracle    test/oracle/classification.ts
// Source    elementary
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params { rows: u32, columns: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(WG)
fn gather_rows(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_index(group, groups) * (4u * WG) + lane;
  for (var step = 0u; step < 4u; step++) { //#unroll
    let at = first + step * WG;
    if (at < params.rows * params.columns) {
      y[at] = x[indices[at / params.columns] * params.columns + at % params.columns];
    }
  }
}
