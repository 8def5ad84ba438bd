// qr_project — Yᵀ A of a panel's sixteen reflections, in parts over the rows: step two of a step of blocked QR.
//
// Layout    work f32[batch, rows, 4·quads], Y in columns first … first + 15 · partial f32[batch, splits, 16, 4·target_quads]
//           factor f32[batch, target_rows, columns] the matrix A (with APPLY); else A is work from column first + 16 on
// Dispatch  (⌈target_quads/WG⌉, splits, batch); an invocation four columns of A and split_rows rows, from row `first` on
// Knobs     WG workgroup size, APPLY (A is a factor, not the rest of the matrix)
// Error     γ_split_rows·Σ abs(y) abs(a)
// Backward  not differentiated here
// Oracle    test/oracle/qr.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §5.2.3
override WG: u32 = 64u;
const APPLY: bool = false; //#knob
struct Params {
  batch: u32,
  rows: u32,
  quads: u32,
  first: u32,
  target_rows: u32,
  target_quads: u32,
  columns: u32,
  splits: u32,
  split_rows: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> work: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> factor: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn qr_project(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let quad = group.x * WG + lane;
  if (quad >= params.target_quads) {
    return;
  }
  let first = params.first;
  let base = group.z * params.rows * params.quads;
  let panel = first / 4u;
  let begin = first + group.y * params.split_rows;
  let end = min(begin + params.split_rows, params.target_rows);
  var w: array<vec4<f32>, 16>;
  for (var k = 0u; k < 16u; k++) { //#unroll
    w[k] = vec4<f32>();
  }
  for (var row = begin; row < end; row++) {
    var a = vec4<f32>();
    if (APPLY) {
      let at = (group.z * params.target_rows + row) * params.columns + 4u * quad;
      let last = params.columns - 1u - 4u * quad;
      // Columns beyond the last are those of the last again, and never written back.
      a = vec4<f32>(factor[at], factor[at + min(1u, last)], factor[at + min(2u, last)], factor[at + min(3u, last)]);
    } else {
      a = work[base + row * params.quads + panel + 4u + quad];
    }
    for (var strip = 0u; strip < 4u; strip++) { //#unroll
      let y = work[base + row * params.quads + panel + strip];
      w[4u * strip] += y.x * a;
      w[4u * strip + 1u] += y.y * a;
      w[4u * strip + 2u] += y.z * a;
      w[4u * strip + 3u] += y.w * a;
    }
  }
  let words = (group.z * params.splits + group.y) * 16u * params.target_quads + quad;
  for (var k = 0u; k < 16u; k++) { //#unroll
    partial[words + k * params.target_quads] = w[k];
  }
}
