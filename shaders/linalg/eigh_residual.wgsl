// eigh_residual — sums of squares of AV − V·diag(λ) over tiles of rows and columns, for some rows of each matrix of a batch.
//
//   All is scaled by a power of two that takes the largest |λ| to [1, 2), so that nothing overflows.
//
// Layout    a f32[batch, n, n], lower triangle read · values f32[batch, n] sorted either way · vectors f32[batch, n, n], columns
//           partial f32[batch, parts]: of each workgroup of all these dispatches, Σ (AV − V·diag(λ))² scaled
// Dispatch  (⌈n/(4·WG_X)⌉, ⌈rows/(ROWS·WG_Y)⌉, batch), for `rows` rows from row_start (a multiple of ROWS but at the end), partial
//           sums from part_start
// Knobs     WG_X, WG_Y, ROWS of an invocation, with four columns
// Error     each entry γ_{n+2}·Σ|A||V| (γ_k = k·u/(1−k·u), u = 2⁻²⁴): an estimate, no smaller than rounding makes it
// Backward  not differentiated
// Oracle    test/oracle/eighStages.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.1 (residuals bound errors)
override WG_X: u32 = 8u;
override WG_Y: u32 = 8u;
const ROWS: u32 = 8u; //#knob
struct Params { batch: u32, n: u32, rows: u32, row_start: u32, part_start: u32, parts: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> vectors: array<f32>;
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;

var<workgroup> lane_sum: array<f32, WG_X * WG_Y>;

@compute @workgroup_size(WG_X, WG_Y)
fn eigh_residual(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(global_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = params.n;
  let base = group.z * n * n;
  let row0 = params.row_start + id.y * ROWS;
  let column0 = 4u * id.x;
  let largest = max(abs(values[group.z * n]), abs(values[group.z * n + n - 1u]));
  let shrink = bitcast<f32>((254u - clamp(bitcast<u32>(largest) >> 23u, 2u, 252u)) << 23u);
  var square = 0.0;
  // Values are zero where the matrix is, and where it had NaN or infinities: no residual then.
  if (id.y * ROWS < params.rows && row0 < n && column0 < n && largest > 0.0) {
    let columns = min(vec4<u32>(column0) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(n - 1u));
    var acc: array<vec4<f32>, ROWS>;
    for (var k = 0u; k < n; k++) {
      let row = base + k * n;
      let v = vec4<f32>(vectors[row + columns.x], vectors[row + columns.y], vectors[row + columns.z], vectors[row + columns.w]);
      for (var r = 0u; r < ROWS; r++) { //#unroll
        let i = min(row0 + r, n - 1u);
        acc[r] += (a[base + max(i, k) * n + min(i, k)] * shrink) * v;
      }
    }
    let at = group.z * n;
    let lambda = vec4<f32>(values[at + columns.x], values[at + columns.y], values[at + columns.z], values[at + columns.w]);
    let inside = vec4<u32>(column0) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(n);
    for (var r = 0u; r < ROWS; r++) { //#unroll
      if (row0 + r < n) {
        let row = base + (row0 + r) * n;
        let v = vec4<f32>(vectors[row + columns.x], vectors[row + columns.y], vectors[row + columns.z], vectors[row + columns.w]);
        let difference = select(vec4<f32>(), acc[r] - v * (lambda * shrink), inside);
        square += dot(difference, difference);
      }
    }
  }
  lane_sum[lane] = square;
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < WG_X * WG_Y; other++) {
      square += lane_sum[other];
    }
    partial[group.z * params.parts + params.part_start + group.y * groups.x + group.x] = square;
  }
}
