// block_rows_rotate — the rows of a matrix turned by the rotations of a round of block Jacobi: X ← X + Pᵀ X on the 32 rows of each pair.
//
//   Vectors are rows, so that a basis is accumulated as the matrix is diagonalised, and one-sided Jacobi orthogonalises the rows. The
//   small sum is formed first and added to X last. Pairs as in block_pair_solve.
//
// Layout    state u32[batch, 4] word 2: 1 when the matrix is finished, then nothing is touched · counters u32[batch, pairs, 2] word 1: 0
//           when nothing turned · rotations f32[batch, pairs, 32, 32] P · rows f32[batch, 16·blocks, 4·row_quads] in place, row_quads a
//           multiple of QUADS
// Dispatch  (groups, batch, 1), any number of groups: workgroups stride over pairs and columns
// Knobs     WG workgroup size, a multiple of 32/ROWS; ROWS, a multiple of 4, and QUADS of an invocation's part
// Error     |X' − exact| ≤ u·|X'| + γ_33·|P|ᵀ|X|   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated here
// Oracle    test/oracle/blockJacobi.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.5.6 (block Jacobi)
//#include "lib/tournament.wgsl"
override WG: u32 = 64u;
const ROWS: u32 = 16u; //#knob
const QUADS: u32 = 1u; //#knob
struct Params { batch: u32, row_quads: u32, blocks: u32, round: u32, groups: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> counters: array<u32>;
@group(0) @binding(3) var<storage, read> rotations: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> rows: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn block_rows_rotate(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  if (state[4u * group.y + 2u] != 0u) {
    return;
  }
  // Lanes that share columns, and columns (in fours) of a workgroup.
  const PARTS = 32u / ROWS;
  const COLUMNS = WG / PARTS * QUADS;
  let row0 = lane % PARTS * ROWS;
  let row_quads = params.row_quads;
  let pairs = params.blocks / 2u;
  let base = group.y * pairs * 32u * row_quads;
  let strips = (row_quads + COLUMNS - 1u) / COLUMNS;
  let items = pairs * strips;
  for (var item = group.x; item < items; item += params.groups) {
    let pair = group.y * pairs + item / strips;
    if (counters[2u * pair + 1u] == 0u) {
      continue;
    }
    let first = player(item / strips, params.round, params.blocks);
    let second = player(params.blocks - 1u - item / strips, params.round, params.blocks);
    let start_p = min(first, second) * 16u;
    let start_q = max(first, second) * 16u - 16u;
    // Lanes beyond the row's end add up nothing.
    let quad0 = item % strips * COLUMNS + lane / PARTS * QUADS;
    let terms = select(0u, 32u, quad0 < row_quads);
    let p_base = pair * 256u + row0 / 4u;
    var sum: array<vec4<f32>, ROWS * QUADS>;
    // SwiftShader clears what a loop's body declares in the first turn only.
    for (var at = 0u; at < ROWS * QUADS; at++) { //#unroll
      sum[at] = vec4<f32>();
    }
    for (var k = 0u; k < terms; k++) {
      let at = base + (k + select(start_q, start_p, k < 16u)) * row_quads + quad0;
      var x: array<vec4<f32>, QUADS>;
      for (var q = 0u; q < QUADS; q++) { //#unroll
        x[q] = rows[at + q];
      }
      for (var g = 0u; g < ROWS / 4u; g++) { //#unroll
        let p = rotations[p_base + k * 8u + g];
        for (var q = 0u; q < QUADS; q++) { //#unroll
          sum[4u * g * QUADS + q] += p.x * x[q];
          sum[4u * g * QUADS + QUADS + q] += p.y * x[q];
          sum[4u * g * QUADS + 2u * QUADS + q] += p.z * x[q];
          sum[4u * g * QUADS + 3u * QUADS + q] += p.w * x[q];
        }
      }
    }
    storageBarrier();
    if (quad0 < row_quads) {
      let own = base + (row0 + select(start_q, start_p, row0 < 16u)) * row_quads + quad0;
      for (var r = 0u; r < ROWS; r++) { //#unroll
        for (var q = 0u; q < QUADS; q++) { //#unroll
          rows[own + r * row_quads + q] += sum[r * QUADS + q];
        }
      }
    }
  }
}
