// eigh_prepare — start of a blocked symmetric eigenproblem: the matrix scaled by an exact power of two, symmetrised and padded.
//
//   W = 2^-e A with the largest magnitude in [1, 2), zero where padded (no rotation ever mixes the padding in); basis I; state and
//   counters of block_pair_solve. Where A has NaN or infinities, or is zero, W is zero and the matrix counts as finished.
//
// Layout    a f32[batch, n, n], lower triangle read · partial u32[batch, parts] largest magnitudes (eigh_range)
//           work f32[batch, 4·quads, 4·quads] · basis the same (with VECTORS) · counters u32[batch, counter_words] zeroed
//           state u32[batch, 4]: sweeps 0, flags (bit 0: NaN or infinite), finished, largest magnitude as bits
// Dispatch  (⌈quads/WG⌉, ⌈4·quads/ROWS⌉, batch); an invocation has four columns of ROWS rows
// Knobs     WG workgroup size, ROWS, VECTORS
// Error     exact but for denormals, which count as zero
// Backward  not differentiated
// Oracle    test/oracle/eighStages.ts
// Source    scaling: Anderson et al. 1999, LAPACK Users' Guide (ssyev)
override WG: u32 = 16u;
override ROWS: u32 = 8u;
const VECTORS: bool = false; //#knob
struct Params { batch: u32, n: u32, quads: u32, parts: u32, counter_words: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> partial: array<u32>;
@group(0) @binding(3) var<storage, read_write> work: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> basis: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> counters: array<u32>;
@group(0) @binding(6) var<storage, read_write> state: array<u32>;

@compute @workgroup_size(WG)
fn eigh_prepare(@builtin(global_invocation_id) id: vec3<u32>) {
  let n = params.n;
  var largest = 0u;
  for (var part = 0u; part < params.parts; part++) {
    largest = max(largest, partial[id.z * params.parts + part]);
  }
  // Denormals are zero to the hardware, and so to us.
  let is_trivial = largest < 0x00800000u || largest >= 0x7f800000u;
  // The extreme exponents are kept where 2^e and 2^-e are both normal numbers.
  let shrink = bitcast<f32>((254u - clamp(largest >> 23u, 2u, 252u)) << 23u);
  if (id.y == 0u) {
    for (var at = id.x; at < params.counter_words; at += params.quads) {
      counters[id.z * params.counter_words + at] = 0u;
    }
    if (id.x == 0u) {
      state[4u * id.z] = 0u;
      state[4u * id.z + 1u] = select(0u, 1u, largest >= 0x7f800000u);
      state[4u * id.z + 2u] = select(0u, 1u, is_trivial);
      state[4u * id.z + 3u] = largest;
    }
  }
  if (id.x >= params.quads) {
    return;
  }
  let start = n * n * id.z;
  let end = min(id.y * ROWS + ROWS, 4u * params.quads);
  for (var row = id.y * ROWS; row < end; row++) {
    var entries = vec4<f32>();
    var unit = vec4<f32>();
    for (var c = 0u; c < 4u; c++) { //#unroll
      let column = 4u * id.x + c;
      if (max(row, column) < n && !is_trivial) {
        let entry = a[start + max(row, column) * n + min(row, column)];
        // By bits: some drivers flush denormals, others do not.
        entries[c] = select(entry * shrink, 0.0, (bitcast<u32>(entry) & 0x7fffffffu) < 0x00800000u);
      }
      unit[c] = select(0.0, 1.0, row == column);
    }
    let at = (id.z * 4u * params.quads + row) * params.quads + id.x;
    work[at] = entries;
    if (VECTORS) {
      basis[at] = unit;
    }
  }
}
