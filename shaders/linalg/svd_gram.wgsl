// svd_gram — inner products of the 32 rows of every block pair of a round: what block_pair_solve takes rotations from (GRAM).
//
//   gram[a, b] = x_a·x_b; the largest cosine |x_a·x_b|/(‖x_a‖‖x_b‖) of a sweep is kept for each pair of slots.
//
// Layout    state u32[batch, 4] word 2: 1 when the matrix is finished, then nothing is touched · x f32[batch, 16·blocks, 4·quads]
//           gram f32[batch, pairs, 32, 32], pairs = blocks/2 · cosines u32[batch, pairs] bits, set in round 0
// Dispatch  (pairs, batch, 1); one workgroup per pair, an invocation 4 × 4 products
// Knobs     WG workgroup size, at least 36
// Error     γ_{quads + 3}·Σ abs(x_a) abs(x_b)
// Backward  not differentiated here
// Oracle    test/oracle/qr.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.6.3; ordering: Brent & Luk 1985
//#include "lib/tournament.wgsl"
override WG: u32 = 64u;
// Squared norms below this are zero for us, as in svd_jacobi.
const NEGLIGIBLE: f32 = 1e-34;
struct Params { batch: u32, blocks: u32, quads: u32, round: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> gram: array<f32>;
@group(0) @binding(4) var<storage, read_write> cosines: array<u32>;

var<workgroup> squares: array<f32, 32>;
var<workgroup> lane_cosine: array<f32, WG>;

@compute @workgroup_size(WG)
fn svd_gram(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  if (state[4u * group.y + 2u] != 0u) {
    return;
  }
  let blocks = params.blocks;
  let first = player(group.x, params.round, blocks);
  let second = player(blocks - 1u - group.x, params.round, blocks);
  let start_p = 16u * min(first, second);
  let start_q = 16u * max(first, second) - 16u;
  // Tiles of the lower triangle, row by row: 0; 1, 2; 3, 4, 5; …
  let tile = min(lane, 35u);
  var tile_row = 0u;
  for (var i = 1u; i < 8u; i++) {
    tile_row += select(0u, 1u, tile >= i * (i + 1u) / 2u);
  }
  let row = 4u * tile_row;
  let column = 4u * (tile - tile_row * (tile_row + 1u) / 2u);
  let base = group.y * 16u * blocks;
  let at_row = (base + row + select(start_q, start_p, row < 16u)) * params.quads;
  let at_column = (base + column + select(start_q, start_p, column < 16u)) * params.quads;
  var sums: array<f32, 16>;
  for (var i = 0u; i < 16u; i++) { //#unroll
    sums[i] = 0.0;
  }
  for (var k = 0u; k < params.quads; k++) {
    let b0 = x[at_column + k];
    let b1 = x[at_column + params.quads + k];
    let b2 = x[at_column + 2u * params.quads + k];
    let b3 = x[at_column + 3u * params.quads + k];
    for (var i = 0u; i < 4u; i++) { //#unroll
      let a = x[at_row + i * params.quads + k];
      sums[4u * i] += dot(a, b0);
      sums[4u * i + 1u] += dot(a, b1);
      sums[4u * i + 2u] += dot(a, b2);
      sums[4u * i + 3u] += dot(a, b3);
    }
  }
  let words = (group.y * (blocks / 2u) + group.x) * 1024u;
  if (lane < 36u) {
    for (var i = 0u; i < 4u; i++) { //#unroll
      for (var j = 0u; j < 4u; j++) { //#unroll
        gram[words + 32u * (row + i) + column + j] = sums[4u * i + j];
        gram[words + 32u * (column + j) + row + i] = sums[4u * i + j];
      }
      if (row == column) {
        squares[row + i] = sums[5u * i];
      }
    }
  }
  workgroupBarrier();
  var largest = 0.0;
  for (var i = 0u; i < 4u; i++) { //#unroll
    for (var j = 0u; j < 4u; j++) { //#unroll
      let aa = squares[row + i];
      let bb = squares[column + j];
      if (row + i > column + j && min(aa, bb) > NEGLIGIBLE) {
        largest = max(largest, abs(sums[4u * i + j]) / (sqrt(aa) * sqrt(bb)));
      }
    }
  }
  lane_cosine[lane] = largest;
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < WG; other++) {
      largest = max(largest, lane_cosine[other]);
    }
    let at = group.y * (blocks / 2u) + group.x;
    cosines[at] = max(bitcast<u32>(largest), select(cosines[at], 0u, params.round == 0u));
  }
}
