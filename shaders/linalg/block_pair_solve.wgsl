// block_pair_solve — one sweep of Jacobi rotations on the 32 × 32 symmetric tile of every block pair of a round, accumulated as P = Q − I.
//
//   The order is cut into `blocks` blocks of 16 (an even number). In round r, pair s is blocks player(s, r, blocks) and
//   player(blocks − 1 − s, r, blocks); the smaller one, p, gives rows 0 … 15 of the tile, the larger one, q, rows 16 … 31.
//   T ← Qᵀ T Q. Who applies Q to anything else computes x + Pᵀ x: small rotations keep their digits in P (the block form of
//   Rutishauser's x − s(y + τx)).
//
// Layout    state u32[batch, 4] word 2: 1 when the matrix is finished, then nothing is touched · matrix f32[batch, n, n] symmetric, n a
//           multiple of 32, the tiles of the pairs rotated in place (not with GRAM) · tile f32[batch, pairs, 32, 32], pairs = blocks/2:
//           with GRAM the symmetric tiles, lower triangle read and destroyed; else unused
//           rotations f32[batch, pairs, 32, 32]: P[k][r], x'[r] = x[r] + Σ_k P[k][r] x[k]; meaningless where nothing turned
//           counters u32[batch, pairs, 2]: word 0 grows by the number of entries above the threshold before rotating, word 1 is that
//           number (0: no rotation, P is to be taken as zero)
// Dispatch  (groups, batch, 1), any number of groups: workgroups stride over the pairs
// Knobs     WG workgroup size, a multiple of 8, GRAM (tiles are given, only rotations and counters are written), CROSS (only the 256 pairs
//           between the two blocks, else all 496), SHARED (tile and P in workgroup memory; else in storage and registers),
//           TOLERANCE, NEGLIGIBLE: an entry counts and turns when |t_pq| > max(TOLERANCE·√|t_pp·t_qq|, NEGLIGIBLE)
// Error     ‖QᵀQ − I‖ and the backward error are those of at most 496 rotations in Rutishauser's form; with eigenvalues' bounds of
//           test/kernels/eighBlocked.test.ts
// Backward  not differentiated here
// Oracle    test/oracle/blockJacobi.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.5.6 (block Jacobi); ordering: Brent & Luk 1985; rotation: Rutishauser 1966
//#include "lib/tournament.wgsl"
override WG: u32 = 64u;
const GRAM: bool = false; //#knob
const CROSS: bool = false; //#knob
const SHARED: bool = true; //#knob
override TOLERANCE: f32 = 2.9802322e-8;
override NEGLIGIBLE: f32 = 1e-18;
struct Params { batch: u32, n: u32, blocks: u32, round: u32, groups: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read_write> matrix: array<f32>;
@group(0) @binding(3) var<storage, read_write> tile: array<f32>;
@group(0) @binding(4) var<storage, read_write> rotations: array<f32>;
@group(0) @binding(5) var<storage, read_write> counters: array<u32>;

var<workgroup> shared_tile: array<f32, 1024>;
// Transposed, so that lanes of a subgroup touch consecutive words.
var<workgroup> shared_rotation: array<f32, 1024>;
// The tile's diagonal as it came, and what the rotations added: their roundings do not pile up.
var<workgroup> diagonal: array<f32, 32>;
var<workgroup> shift: array<f32, 32>;
var<workgroup> pair_p: array<u32, 16>;
var<workgroup> pair_q: array<u32, 16>;
var<workgroup> sine: array<f32, 16>;
var<workgroup> tau: array<f32, 16>;
var<workgroup> lane_count: array<u32, WG>;
var<workgroup> total: u32;
var<private> tile_base: u32;

// Entry of the symmetric tile, of which the lower triangle is kept.
fn entry(r: u32, c: u32) -> u32 {
  return max(r, c) * 32u + min(r, c);
}

fn load(at: u32) -> f32 {
  if (SHARED) {
    return shared_tile[at];
  } else {
    if (GRAM) {
      return tile[tile_base + at];
    } else {
      return rotations[tile_base + at];
    }
  }
}

fn store(at: u32, value: f32) {
  if (SHARED) {
    shared_tile[at] = value;
  } else {
    if (GRAM) {
      tile[tile_base + at] = value;
    } else {
      rotations[tile_base + at] = value;
    }
  }
}

fn exceeds(a_pq: f32, a_pp: f32, a_qq: f32) -> bool {
  return abs(a_pq) > max(TOLERANCE * sqrt(abs(a_pp)) * sqrt(abs(a_qq)), NEGLIGIBLE);
}

// Row of the identity: 1 in the component whose row is `column`.
fn unit(rows: vec4<u32>, column: u32) -> vec4<f32> {
  return select(vec4<f32>(0.0), vec4<f32>(1.0), rows == vec4<u32>(column));
}

@compute @workgroup_size(WG)
fn block_pair_solve(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  if (state[4u * group.y + 2u] != 0u) {
    return;
  }
  let pairs = params.blocks / 2u;
  for (var pair = group.x; pair < pairs; pair += params.groups) {
    let first = player(pair, params.round, params.blocks);
    let second = player(params.blocks - 1u - pair, params.round, params.blocks);
    let start_p = min(first, second) * 16u;
    let start_q = max(first, second) * 16u - 16u;
    let pair_index = group.y * pairs + pair;
    let matrix_base = group.y * params.n * params.n;
    tile_base = pair_index * 1024u;

    if (!GRAM) {
      for (var at = lane; at < 1024u; at += WG) {
        let r = at >> 5u;
        let c = at & 31u;
        if (r >= c) {
          let row = r + select(start_q, start_p, r < 16u);
          let column = c + select(start_q, start_p, c < 16u);
          store(at, matrix[matrix_base + row * params.n + column]);
        }
      }
    }
    if (GRAM && SHARED) {
      for (var at = lane; at < 1024u; at += WG) {
        store(at, tile[tile_base + at]);
      }
    }
    workgroupBarrier();
    storageBarrier();
    for (var r = lane; r < 32u; r += WG) {
      diagonal[r] = load(33u * r);
      shift[r] = 0.0;
    }
    workgroupBarrier();
    var count = 0u;
    for (var r = lane; r < 32u; r += WG) {
      let columns = select(r, select(0u, 16u, r >= 16u), CROSS);
      for (var c = 0u; c < columns; c++) {
        count += select(0u, 1u, exceeds(load(32u * r + c), diagonal[r], diagonal[c]));
      }
    }
    lane_count[lane] = count;
    workgroupBarrier();
    if (lane == 0u) {
      for (var other = 1u; other < WG; other++) {
        count += lane_count[other];
      }
      total = count;
      counters[2u * pair_index] += count;
      counters[2u * pair_index + 1u] = count;
    }
    // No `continue` where nothing turns: old lavapipe loses its way when a loop around barriers goes on from its middle.
    let turns = workgroupUniformLoad(&total) != 0u;

    // Without SHARED: 8 lanes keep four rows of P each, a register a column. After a round the columns move on as the players do, so that
    // slot s always turns the same two registers.
    let rows = vec4<u32>(4u * lane) + vec4<u32>(0u, 1u, 2u, 3u);
    var p_rows: array<vec4<f32>, 32>;
    // SwiftShader clears what a loop's body declares in the first turn only.
    for (var r = 0u; r < 32u; r++) { //#unroll
      p_rows[r] = vec4<f32>();
    }
    if (SHARED) {
      for (var at = lane; at < 1024u; at += WG) {
        shared_rotation[at] = 0.0;
      }
    }
    let rounds = select(0u, select(31u, 16u, CROSS), turns);
    for (var round = 0u; round < rounds; round++) {
      for (var slot = lane; slot < 16u; slot += WG) {
        var p = slot;
        var q = 16u + ((slot + round) & 15u);
        if (!CROSS) {
          p = player(slot, round, 32u);
          q = player(31u - slot, round, 32u);
        }
        let a_pq = load(entry(p, q));
        var s = 0.0;
        var ratio = 0.0;
        if (exceeds(a_pq, diagonal[p] + shift[p], diagonal[q] + shift[q])) {
          let theta = ((diagonal[q] - diagonal[p]) + (shift[q] - shift[p])) / (2.0 * a_pq);
          var t = 0.0;
          // Beyond 1e9 the square of theta swamps the one under the root, and would overflow beyond 1e19.
          if (abs(theta) > 1e9) {
            t = 0.5 / theta;
          } else {
            t = select(-1.0, 1.0, theta >= 0.0) / (abs(theta) + sqrt(theta * theta + 1.0));
          }
          let c = 1.0 / sqrt(t * t + 1.0);
          s = t * c;
          ratio = s / (1.0 + c);
          shift[p] -= t * a_pq;
          shift[q] += t * a_pq;
          store(entry(p, q), 0.0);
        }
        pair_p[slot] = p;
        pair_q[slot] = q;
        sine[slot] = s;
        tau[slot] = ratio;
      }
      workgroupBarrier();
      storageBarrier();
      // Two rows and two columns for each two pairs i > j; 8 lanes (or sets of lanes) take i = a and i = 15 − a each, 15 blocks in all.
      let stripe = lane >> 3u;
      let stripes = WG / 8u;
      for (var half = 0u; half < 2u; half++) {
        let i = select(lane & 7u, 15u - (lane & 7u), half == 1u);
        let ip = pair_p[i];
        let iq = pair_q[i];
        let si = sine[i];
        let ti = tau[i];
        for (var j = stripe; j < i; j += stripes) {
          let sj = sine[j];
          let tj = tau[j];
          if (si != 0.0 || sj != 0.0) {
            let jp = pair_p[j];
            let jq = pair_q[j];
            let at_pp = entry(ip, jp);
            let at_pq = entry(ip, jq);
            let at_qp = entry(iq, jp);
            let at_qq = entry(iq, jq);
            let pp = load(at_pp);
            let pq = load(at_pq);
            let qp = load(at_qp);
            let qq = load(at_qq);
            let pp1 = pp - si * (qp + ti * pp);
            let qp1 = qp + si * (pp - ti * qp);
            let pq1 = pq - si * (qq + ti * pq);
            let qq1 = qq + si * (pq - ti * qq);
            store(at_pp, pp1 - sj * (pq1 + tj * pp1));
            store(at_pq, pq1 + sj * (pp1 - tj * pq1));
            store(at_qp, qp1 - sj * (qq1 + tj * qp1));
            store(at_qq, qq1 + sj * (qp1 - tj * qq1));
          }
        }
      }
      if (SHARED) {
        for (var item = lane; item < 512u; item += WG) {
          let slot = item >> 5u;
          let k = item & 31u;
          let s = sine[slot];
          let ratio = tau[slot];
          let p = pair_p[slot];
          let q = pair_q[slot];
          let x = shared_rotation[32u * p + k];
          let y = shared_rotation[32u * q + k];
          let qx = x + select(0.0, 1.0, p == k);
          let qy = y + select(0.0, 1.0, q == k);
          shared_rotation[32u * p + k] = x - s * (qy + ratio * qx);
          shared_rotation[32u * q + k] = y + s * (qx - ratio * qy);
        }
      } else {
        if (lane < 8u) {
          if (CROSS) {
            for (var slot = 0u; slot < 16u; slot++) { //#unroll
              let x = p_rows[slot] + unit(rows, slot);
              let y = p_rows[16u + slot] + unit(rows, 16u + ((slot + round) & 15u));
              p_rows[slot] -= sine[slot] * (y + tau[slot] * x);
              p_rows[16u + slot] += sine[slot] * (x - tau[slot] * y);
            }
            let moved = p_rows[16];
            for (var slot = 16u; slot < 31u; slot++) { //#unroll
              p_rows[slot] = p_rows[slot + 1u];
            }
            p_rows[31] = moved;
          } else {
            for (var slot = 0u; slot < 16u; slot++) { //#unroll
              let x = p_rows[slot] + unit(rows, pair_p[slot]);
              let y = p_rows[31u - slot] + unit(rows, pair_q[slot]);
              p_rows[slot] -= sine[slot] * (y + tau[slot] * x);
              p_rows[31u - slot] += sine[slot] * (x - tau[slot] * y);
            }
            let moved = p_rows[1];
            for (var slot = 1u; slot < 31u; slot++) { //#unroll
              p_rows[slot] = p_rows[slot + 1u];
            }
            p_rows[31] = moved;
          }
        }
      }
      workgroupBarrier();
      storageBarrier();
    }

    if (!GRAM && turns) {
      for (var r = lane; r < 32u; r += WG) {
        let row = r + select(start_q, start_p, r < 16u);
        for (var c = 0u; c < 32u; c++) {
          let column = c + select(start_q, start_p, c < 16u);
          matrix[matrix_base + row * params.n + column] = load(entry(r, c));
        }
        matrix[matrix_base + row * params.n + row] = diagonal[r] + shift[r];
      }
    }
    // Without GRAM or SHARED the tile was kept where P comes now.
    storageBarrier();
    if (SHARED && turns) {
      for (var at = lane; at < 1024u; at += WG) {
        rotations[tile_base + at] = shared_rotation[32u * (at & 31u) + (at >> 5u)];
      }
    }
    if (!SHARED && turns) {
      if (lane < 8u) {
        for (var r = 0u; r < 32u; r++) { //#unroll
          rotations[tile_base + 128u * lane + r] = p_rows[r].x;
          rotations[tile_base + 128u * lane + 32u + r] = p_rows[r].y;
          rotations[tile_base + 128u * lane + 64u + r] = p_rows[r].z;
          rotations[tile_base + 128u * lane + 96u + r] = p_rows[r].w;
        }
      }
    }
    // The next pair's tile comes into the same workgroup memory.
    workgroupBarrier();
  }
}
