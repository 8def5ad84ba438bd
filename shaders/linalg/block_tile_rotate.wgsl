// block_tile_rotate — the off-diagonal 32 × 32 tiles of a round of block Jacobi: T ← Q_iᵀ T Q_j for every two block pairs i > j.
//
//   With P = Q − I: T' = T + P_iᵀ T, T'' = T' + T' P_j, mirrored into the tile (j, i). The small sum is formed first and added to T last,
//   so that one rounding a step is relative to T and the others are relative to P. Pairs and tiles as in block_pair_solve.
//
// Layout    state u32[batch, 4] word 2: 1 when the matrix is finished, then nothing is touched · counters u32[batch, pairs, 2] word 1: 0
//           when nothing turned · rotations f32[batch, pairs, 32, 32] P · matrix f32[batch, n, n] symmetric, in place, n a multiple
//           of 32
// Dispatch  (groups, batch, 1), any number of groups: workgroups stride over the tiles
// Knobs     ROWS, a multiple of 4, and QUADS of an invocation's part of the tile; WG workgroup size, (32/ROWS)·(8/QUADS)
// Error     |T' − exact| ≤ u·|T'| + γ_33·|P_i|ᵀ|T|, then the same from the right (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  not differentiated here
// Oracle    test/oracle/blockJacobi.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.5.6 (block Jacobi)
//#include "lib/tournament.wgsl"
override WG: u32 = 16u;
const ROWS: u32 = 16u; //#knob
const QUADS: u32 = 1u; //#knob
struct Params { batch: u32, n: u32, blocks: u32, round: u32, groups: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> counters: array<u32>;
@group(0) @binding(3) var<storage, read> rotations: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> matrix: array<vec4<f32>>;

// Block of 16 rows that gives the first (half 0) or the last 16 rows of a pair's tile.
fn block_of(pair: u32, half: u32) -> u32 {
  let first = player(pair, params.round, params.blocks);
  let second = player(params.blocks - 1u - pair, params.round, params.blocks);
  return select(min(first, second), max(first, second), half == 1u);
}

@compute @workgroup_size(WG)
fn block_tile_rotate(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  if (state[4u * group.y + 2u] != 0u) {
    return;
  }
  const ACROSS = 8u / QUADS;
  let row0 = lane / ACROSS * ROWS;
  let quad0 = lane % ACROSS * QUADS;
  let pairs = params.blocks / 2u;
  let row_quads = params.n / 4u;
  let matrix_base = group.y * params.n * row_quads;
  // Two pairs i > j: rows 1 … pairs − 1 of a strict lower triangle, a short one and a long one together `width` long.
  let last = pairs - 1u;
  let is_even = 1u - last % 2u;
  let width = last + is_even;
  let tiles = pairs * last / 2u;
  for (var number = group.x; number < tiles; number += params.groups) {
    let short_row = number / width + is_even;
    let place = number % width;
    let i = select(last - number / width, short_row, place < short_row);
    let j = select(place - short_row, place, place < short_row);
    let pair_i = group.y * pairs + i;
    let pair_j = group.y * pairs + j;
    let turns_rows = counters[2u * pair_i + 1u] != 0u;
    let turns_columns = counters[2u * pair_j + 1u] != 0u;
    if (!turns_rows && !turns_columns) {
      continue;
    }
    // Where rows 0 and 16 and where columns 0 and 16 of the tile start in the matrix.
    let top = matrix_base + block_of(i, 0u) * 16u * row_quads;
    let middle = matrix_base + block_of(i, 1u) * 16u * row_quads - 16u * row_quads;
    let left = block_of(j, 0u) * 4u;
    let right = block_of(j, 1u) * 4u - 4u;
    let own_rows = select(middle, top, row0 < 16u) + row0 * row_quads;
    let own = own_rows + quad0 + select(right, left, quad0 < 4u);
    var sum: array<vec4<f32>, ROWS * QUADS>;
    // SwiftShader clears what a loop's body declares in the first turn only.
    for (var at = 0u; at < ROWS * QUADS; at++) { //#unroll
      sum[at] = vec4<f32>();
    }
    let p_rows = pair_i * 256u + row0 / 4u;
    let row_terms = select(0u, 32u, turns_rows);
    for (var k = 0u; k < row_terms; k++) {
      let at = select(middle, top, k < 16u) + k * row_quads + quad0 + select(right, left, quad0 < 4u);
      var x: array<vec4<f32>, QUADS>;
      for (var q = 0u; q < QUADS; q++) { //#unroll
        x[q] = matrix[at + q];
      }
      for (var g = 0u; g < ROWS / 4u; g++) { //#unroll
        let p = rotations[p_rows + k * 8u + g];
        for (var q = 0u; q < QUADS; q++) { //#unroll
          sum[4u * g * QUADS + q] += p.x * x[q];
          sum[4u * g * QUADS + QUADS + q] += p.y * x[q];
          sum[4u * g * QUADS + 2u * QUADS + q] += p.z * x[q];
          sum[4u * g * QUADS + 3u * QUADS + q] += p.w * x[q];
        }
      }
    }
    storageBarrier();
    for (var r = 0u; r < ROWS; r++) { //#unroll
      for (var q = 0u; q < QUADS; q++) { //#unroll
        matrix[own + r * row_quads + q] += sum[r * QUADS + q];
        sum[r * QUADS + q] = vec4<f32>();
      }
    }
    storageBarrier();
    let p_columns = pair_j * 256u + quad0;
    let column_terms = select(0u, 8u, turns_columns);
    for (var k = 0u; k < column_terms; k++) {
      var p: array<vec4<f32>, 4u * QUADS>;
      for (var q = 0u; q < QUADS; q++) { //#unroll
        p[q] = rotations[p_columns + k * 32u + q];
        p[QUADS + q] = rotations[p_columns + k * 32u + 8u + q];
        p[2u * QUADS + q] = rotations[p_columns + k * 32u + 16u + q];
        p[3u * QUADS + q] = rotations[p_columns + k * 32u + 24u + q];
      }
      let at = own_rows + k + select(right, left, k < 4u);
      for (var r = 0u; r < ROWS; r++) { //#unroll
        let x = matrix[at + r * row_quads];
        for (var q = 0u; q < QUADS; q++) { //#unroll
          sum[r * QUADS + q] += x.x * p[q];
          sum[r * QUADS + q] += x.y * p[QUADS + q];
          sum[r * QUADS + q] += x.z * p[2u * QUADS + q];
          sum[r * QUADS + q] += x.w * p[3u * QUADS + q];
        }
      }
    }
    storageBarrier();
    for (var r = 0u; r < ROWS; r++) { //#unroll
      for (var q = 0u; q < QUADS; q++) { //#unroll
        sum[r * QUADS + q] += matrix[own + r * row_quads + q];
        matrix[own + r * row_quads + q] = sum[r * QUADS + q];
      }
    }
    // The mirrored tile: its rows are our columns.
    let column0 = 4u * (quad0 + select(right, left, quad0 < 4u));
    let mirrored = matrix_base + column0 * row_quads + (own_rows - matrix_base) / row_quads / 4u;
    for (var g = 0u; g < ROWS / 4u; g++) { //#unroll
      for (var q = 0u; q < QUADS; q++) { //#unroll
        for (var c = 0u; c < 4u; c++) { //#unroll
          matrix[mirrored + (4u * q + c) * row_quads + g] = vec4<f32>(
            sum[4u * g * QUADS + q][c],
            sum[4u * g * QUADS + QUADS + q][c],
            sum[4u * g * QUADS + 2u * QUADS + q][c],
            sum[4u * g * QUADS + 3u * QUADS + q][c],
          );
        }
      }
    }
  }
}
