// eigh_off_norm — sums of squares of the off-diagonal entries and of all entries of each matrix of a batch, in parts.
//
//   Part i takes rows i, i + parts, …
//
// Layout    work f32[batch, n, n] · partial f32[batch, parts, 2]: Σ_{r≠c} w², Σ w²
// Dispatch  (parts, batch, 1)
// Knobs     WG workgroup size
// Error     γ_k·Σ w², k = ⌈n/parts⌉·⌈n/WG⌉ + WG + 1 (γ_k = k·u/(1−k·u), u = 2⁻²⁴); squares below f32's normal range count as zero
// Backward  not differentiated
// Oracle    test/oracle/eighStages.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.5.1 (off(A))
override WG: u32 = 64u;
struct Params { batch: u32, n: u32, parts: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> work: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<vec2<f32>>;

var<workgroup> lane_sums: array<vec2<f32>, WG>;

@compute @workgroup_size(WG)
fn eigh_off_norm(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let base = group.y * params.n * params.n;
  var sums = vec2<f32>();
  for (var row = group.x; row < params.n; row += params.parts) {
    for (var column = lane; column < params.n; column += WG) {
      let entry = work[base + row * params.n + column];
      sums += vec2<f32>(select(entry, 0.0, row == column), entry) * entry;
    }
  }
  lane_sums[lane] = sums;
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < WG; other++) {
      sums += lane_sums[other];
    }
    partial[group.y * params.parts + group.x] = sums;
  }
}
