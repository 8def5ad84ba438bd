// svd_vectors — singular vectors as columns, in the order of the values, from rows that Jacobi rotations made.
//
//   NORMALIZED: vectors[column(i), j] = rows[ranking[j], i]/‖row‖, the vectors on the side of the sorted columns (undoing the sort); else
//   vectors[i, j] = rows[ranking[j], i], zero for i ≥ count: the factor that the reflections of the QR turn into the other side's.
//
// Layout    rows f32[batch, row_count, row_length] · ranking u32[batch, 2·count] of svd_values · order u32[batch, order_words] of svd_order
//           vectors f32[batch, length, count]
// Dispatch  (⌈length·count/WG⌉ folded, 1, batch); one invocation an element
// Knobs     WG workgroup size, NORMALIZED
// Error     2 roundings
// Backward  not differentiated here
// Oracle    test/oracle/svd.ts
// Source    Drmač & Veselić 2008
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const NORMALIZED: bool = true; //#knob
struct Params { batch: u32, length: u32, count: u32, row_count: u32, row_length: u32, order_words: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read> ranking: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read_write> vectors: array<f32>;

@compute @workgroup_size(WG)
fn svd_vectors(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let element = workgroup_index(group, groups) * WG + lane;
  let count = params.count;
  let elements = params.length * count;
  if (element >= elements) {
    return;
  }
  let matrix = group.z;
  let i = element / count;
  let place = element % count;
  let row = ranking[2u * matrix * count + place];
  let base = matrix * elements;
  if (NORMALIZED) {
    let inverse = bitcast<f32>(ranking[2u * matrix * count + count + place]);
    let end = order[matrix * params.order_words + 4u + i];
    vectors[base + end * count + place] = rows[(matrix * params.row_count + row) * params.row_length + i] * inverse;
  } else {
    var entry = 0.0;
    if (i < count) {
      entry = rows[(matrix * params.row_count + row) * params.row_length + i];
    }
    vectors[base + element] = entry;
  }
}
