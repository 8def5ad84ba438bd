// qr_update — A ← A - Y Tᵀ W (or with APPLY A ← A - Y T W) from the parts of W = Yᵀ A: step three of a step of blocked QR.
//
// Layout    partial f32[batch, splits, 16, 4·target_quads] of qr_project · t f32[batch, panels, 16, 16] of qr_panel
//           work f32[batch, rows, 4·quads], Y in columns first … first + 15; without APPLY A is what lies right of them
//           factor f32[batch, target_rows, columns] A in place (with APPLY) · x f32[batch, x_count, 4·x_quads]
//           gets rows first … first + 15 of A (without APPLY): they are rows of R now
// Dispatch  (⌈target_quads/WG⌉, splits, batch); an invocation four columns of A and split_rows rows, from row `first` on
// Knobs     WG workgroup size, APPLY (A is a factor, reflections in the other order)
// Error     γ_(rows + 48)·Σ abs terms, column by column
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
  panels: u32,
  target_rows: u32,
  target_quads: u32,
  columns: u32,
  splits: u32,
  split_rows: u32,
  count: u32,
  x_count: u32,
  x_quads: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> t: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> work: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> factor: array<f32>;
@group(0) @binding(5) var<storage, read_write> x: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn qr_update(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let quad = group.x * WG + lane;
  if (quad >= params.target_quads) {
    return;
  }
  let first = params.first;
  let base = group.z * params.rows * params.quads;
  let panel = first / 4u;
  // W by strips of four reflections: column k is what reflection k of the strip gives for our four columns.
  var w: array<mat4x4<f32>, 4>;
  for (var strip = 0u; strip < 4u; strip++) { //#unroll
    w[strip] = mat4x4<f32>();
  }
  for (var split = 0u; split < params.splits; split++) {
    let words = (group.z * params.splits + split) * 16u * params.target_quads + quad;
    for (var strip = 0u; strip < 4u; strip++) { //#unroll
      w[strip] += mat4x4<f32>(
        partial[words + 4u * strip * params.target_quads],
        partial[words + (4u * strip + 1u) * params.target_quads],
        partial[words + (4u * strip + 2u) * params.target_quads],
        partial[words + (4u * strip + 3u) * params.target_quads],
      );
    }
  }
  // In place: T is upper triangular, with explicit zeros, so that products with it go up, with its transpose down.
  let blocks = (group.z * params.panels + first / 16u) * 64u;
  for (var step = 0u; step < 4u; step++) { //#unroll
    let strip = select(3u - step, step, APPLY);
    var sum = mat4x4<f32>();
    for (var other = 0u; other < 4u; other++) { //#unroll
      let columns = blocks + 16u * select(strip, other, APPLY) + select(other, strip, APPLY);
      let t_block = mat4x4<f32>(t[columns], t[columns + 4u], t[columns + 8u], t[columns + 12u]);
      if (APPLY) {
        sum += w[other] * transpose(t_block);
      } else {
        sum += w[other] * t_block;
      }
    }
    if (APPLY) {
      w[step] = sum;
    } else {
      w[3u - step] = sum;
    }
  }
  let begin = first + group.y * params.split_rows;
  let end = min(begin + params.split_rows, params.target_rows);
  for (var row = begin; row < end; row++) {
    var change = vec4<f32>();
    for (var strip = 0u; strip < 4u; strip++) { //#unroll
      let y = work[base + row * params.quads + panel + strip];
      change += w[strip] * y;
    }
    if (APPLY) {
      let at = (group.z * params.target_rows + row) * params.columns + 4u * quad;
      for (var i = 0u; i < 4u; i++) { //#unroll
        if (4u * quad + i < params.columns) {
          factor[at + i] -= change[i];
        }
      }
    } else {
      let at = base + row * params.quads + panel + 4u + quad;
      let a = work[at] - change;
      work[at] = a;
      if (row < min(first + 16u, params.count) && panel + 4u + quad < params.x_quads) {
        x[(group.z * params.x_count + row) * params.x_quads + panel + 4u + quad] = a;
      }
    }
  }
}
