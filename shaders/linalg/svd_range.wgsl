// svd_range — the largest magnitude of each column of a block of rows, as bits.
//
//   partial[b, part, c] = max over rows of the part of the bits of |z|; for non-negative floats the order of the bits is the order of the
//   numbers, NaN and infinity on top.
//
// Layout    z f32[batch, rows, columns] by row_stride, column_stride · partial u32[batch, parts, columns]
// Dispatch  (parts, ⌈columns/WG⌉, batch); an invocation a column of part_rows rows
// Knobs     WG workgroup size
// Error     exact
// Backward  not differentiated here
// Oracle    test/oracle/qr.ts
// Source    none: a reduction
override WG: u32 = 64u;
struct Params {
  batch: u32,
  rows: u32,
  columns: u32,
  parts: u32,
  part_rows: u32,
  row_stride: u32,
  column_stride: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<u32>;
@group(0) @binding(2) var<storage, read_write> partial: array<u32>;

@compute @workgroup_size(WG)
fn svd_range(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.y * WG + lane;
  if (column >= params.columns) {
    return;
  }
  let base = group.z * params.rows * params.columns + column * params.column_stride;
  let start = group.x * params.part_rows;
  let end = min(start + params.part_rows, params.rows);
  var largest = 0u;
  for (var row = start; row < end; row++) {
    largest = max(largest, z[base + row * params.row_stride] & 0x7fffffffu);
  }
  partial[(group.z * params.parts + group.x) * params.columns + column] = largest;
}
