// svd_prepare — the matrix scaled by a power of two, its columns sorted, padded by zeros: what the blocked QR works on. With blocks of
// sixteen rows to rotate, also their counters, state and basis (the identity).
//
//   work[i, c] = shrink·z[i, order(c)].
//
// Layout    z f32[batch, rows, columns] by row_stride, column_stride · order u32[batch, 4 + …] of svd_order, order_words a matrix
//           work f32[batch, work_rows, 4·quads] · state u32[batch, 4], counters u32[batch, 2·pairs] set to zero (with pairs > 0)
//           basis f32[batch, 4·basis_quads, 4·basis_quads] (with basis_quads > 0, at most quads)
// Dispatch  (⌈work_rows·quads/WG⌉ folded, 1, batch); one invocation four columns of a row
// Knobs     WG workgroup size
// Error     exact; a matrix whose shrink is 0 (nothing in it, or NaN or infinities) becomes zero
// Backward  not differentiated here
// Oracle    test/oracle/qr.ts
// Source    none: a gather
//#include "lib/index.wgsl"
override WG: u32 = 64u;
struct Params {
  batch: u32,
  rows: u32,
  columns: u32,
  work_rows: u32,
  quads: u32,
  row_stride: u32,
  column_stride: u32,
  order_words: u32,
  pairs: u32,
  basis_quads: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> work: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> state: array<u32>;
@group(0) @binding(5) var<storage, read_write> counters: array<u32>;
@group(0) @binding(6) var<storage, read_write> basis: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn svd_prepare(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let element = workgroup_index(group, groups) * WG + lane;
  let elements = params.work_rows * params.quads;
  if (element >= elements) {
    return;
  }
  let words = group.z * params.order_words;
  let shrink = bitcast<f32>(order[words]);
  let row = element / params.quads;
  let first = 4u * (element % params.quads);
  let base = group.z * params.rows * params.columns + row * params.row_stride;
  var entries = vec4<f32>();
  for (var i = 0u; i < 4u; i++) { //#unroll
    if (row < params.rows && first + i < params.columns && shrink != 0.0) {
      entries[i] = z[base + order[words + 4u + first + i] * params.column_stride] * shrink;
    }
  }
  work[group.z * elements + element] = entries;
  if (element < 2u * params.pairs) {
    counters[2u * group.z * params.pairs + element] = 0u;
  }
  if (element < 4u && params.pairs > 0u) {
    state[4u * group.z + element] = 0u;
  }
  let basis_elements = 4u * params.basis_quads * params.basis_quads;
  if (element < basis_elements) {
    let diagonal = vec4<u32>(element / params.basis_quads);
    let columns = 4u * (element % params.basis_quads) + vec4<u32>(0u, 1u, 2u, 3u);
    basis[group.z * basis_elements + element] = select(vec4<f32>(), vec4<f32>(1.0), columns == diagonal);
  }
}
