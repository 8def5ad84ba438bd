// eigh_range — largest magnitude of each symmetric matrix of a batch, in parts, as bits.
//
//   Part i looks at rows i, i + parts, …; for non-negative floats the order of the bits is the order of the numbers, with infinity
//   and NaN on top.
//
// Layout    a f32[batch, n, n], lower triangle read · partial u32[batch, parts]
// Dispatch  (parts, batch, 1)
// Knobs     WG workgroup size, a power of two
// Error     exact
// Backward  not differentiated
// Oracle    test/oracle/eighStages.ts
// Source    IEEE 754-2019, §3.4 (encodings)
override WG: u32 = 64u;
struct Params { batch: u32, n: u32, parts: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<u32>;

var<workgroup> lane_max: array<u32, WG>;

@compute @workgroup_size(WG)
fn eigh_range(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let base = group.y * params.n * params.n;
  var largest = 0u;
  for (var row = group.x; row < params.n; row += params.parts) {
    for (var column = lane; column <= row; column += WG) {
      largest = max(largest, bitcast<u32>(a[base + row * params.n + column]) & 0x7fffffffu);
    }
  }
  lane_max[lane] = largest;
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < WG; other++) {
      largest = max(largest, lane_max[other]);
    }
    partial[group.y * params.parts + group.x] = largest;
  }
}
