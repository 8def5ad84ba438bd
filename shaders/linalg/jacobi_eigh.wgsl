// jacobi_eigh — eigenvalues (and with VECTORS eigenvectors) of a batch of real symmetric matrices by two-sided cyclic Jacobi.
//
//   A = V diag(λ) Vᵀ, λ sorted. Round-robin (tournament) ordering: ⌈n/2⌉ disjoint rotations per round, all rounds of a sweep visit
//   every pair once. Rotations in Rutishauser's form, x ← x − s(y + τx), y ← y + s(x − τy), τ = s/(1 + c). The diagonal is kept as
//   its values at the start of the sweep and what the sweep's rotations added, so that their roundings do not pile up.
//
// Layout    a f32[batch, n, n] row-major, lower triangle read · values f32[batch, n] · vectors f32[batch, n, n], column j for λ_j
//           work f32[batch, m, m] scratch, m = n + n mod 2 · basis f32[batch, n, 4⌈n/4⌉] scratch (used with VECTORS)
//           status u32[batch, 4]: sweeps, flags (bit 0: NaN or infinite input, values are then 0; bit 1: not converged in MAX_SWEEPS),
//           off-norm as f32 bits (final off-diagonal relative to the Frobenius norm), 0
// Dispatch  (batch, 1, 1); one workgroup per matrix
// Knobs     WG workgroup size, a multiple of STRIPES; STRIPES lanes that share a row of 2 × 2 blocks; N_MAX largest n (workgroup memory:
//           a few n), MAX_SWEEPS, VECTORS, ASCENDING (λ ascending, else descending)
// Error     max|λ̂ − λ| ≤ 2·√n·u·|λ|_max (1.04 measured), ‖AV − V·diag(λ̂)‖_F ≤ 2·n·u·‖A‖_F (0.95), ‖VᵀV − I‖_F ≤ 4·n·u (2.04), for n ≤ 128
//           in test/kernels/eigh.test.ts (u = 2⁻²⁴). The matrix is scaled by an exact power of two first, so A·2^k has the same bits
//           but for the exponent
// Backward  not differentiated here
// Oracle    test/oracle/eigh.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.5; ordering: Brent & Luk 1985; rotation: Rutishauser 1966
//#include "lib/tournament.wgsl"
override WG: u32 = 32u;
override STRIPES: u32 = 1u;
override N_MAX: u32 = 64u;
const VECTORS: bool = false; //#knob
const ASCENDING: bool = false; //#knob
override MAX_SWEEPS: u32 = 30u;
// A rotation is skipped when |a_pq| ≤ 2⁻²⁵·√|a_pp·a_qq|: it would move no diagonal entry by more than half a unit in the last place.
const SKIP: f32 = 2.9802322e-8;
// Entries below this, relative to the largest, are zero for us: their products would be flushed as denormals.
const NEGLIGIBLE: f32 = 1e-18;
struct Params { batch: u32, n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> work: array<f32>;
@group(0) @binding(3) var<storage, read_write> basis: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> vectors: array<f32>;
@group(0) @binding(6) var<storage, read_write> status: array<u32>;

// The two indices of a pair, the larger one in the upper half word.
var<workgroup> pair_pq: array<u32, (N_MAX + 1u) / 2u>;
var<workgroup> sine: array<f32, (N_MAX + 1u) / 2u>;
var<workgroup> tau: array<f32, (N_MAX + 1u) / 2u>;
var<workgroup> diagonal: array<f32, N_MAX + 1u>;
var<workgroup> shift: array<f32, N_MAX + 1u>;
var<workgroup> row_squares: array<vec2<f32>, N_MAX>;
var<workgroup> lane_max: array<u32, WG>;
var<workgroup> lane_count: array<u32, WG>;
var<workgroup> is_done: u32;

@compute @workgroup_size(WG)
fn jacobi_eigh(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let n = params.n;
  let a_base = group.x * n * n;
  let row_quads = (n + 3u) / 4u;
  let basis_base = group.x * n * row_quads;
  // Largest magnitude as bits: for non-negative floats the order of the bits is the order of the numbers, NaN and infinity on top.
  var largest = 0u;
  for (var row = lane; row < n; row += WG) {
    for (var column = 0u; column <= row; column++) {
      largest = max(largest, bitcast<u32>(a[a_base + row * n + column]) & 0x7fffffffu);
    }
  }
  lane_max[lane] = largest;
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < WG; other++) {
      largest = max(largest, lane_max[other]);
    }
    lane_max[0] = largest;
    // Denormals are zero to the hardware, and so to us.
    is_done = select(0u, 1u, largest < 0x00800000u || largest >= 0x7f800000u);
  }
  let is_trivial = workgroupUniformLoad(&is_done);
  largest = lane_max[0];
  if (is_trivial == 1u) {
    for (var at = lane; at < n; at += WG) {
      values[group.x * n + at] = 0.0;
    }
    if (VECTORS) {
      for (var at = lane; at < n * n; at += WG) {
        vectors[a_base + at] = select(0.0, 1.0, at / n == at % n);
      }
    }
    if (lane == 0u) {
      status[group.x * 4u] = 0u;
      status[group.x * 4u + 1u] = select(0u, 1u, largest >= 0x7f800000u);
      status[group.x * 4u + 2u] = 0u;
      status[group.x * 4u + 3u] = 0u;
    }
    return;
  }
  // Until the end says otherwise: a driver that gives up on a long loop must not leave a status that looks well.
  if (lane == 0u) {
    status[group.x * 4u + 1u] = 2u;
  }
  // 2^-e and 2^e with the largest entry in [2^e, 2^(e+1)); the extreme exponents are kept where both are normal numbers.
  let exponent = clamp(largest >> 23u, 2u, 252u);
  let shrink = bitcast<f32>((254u - exponent) << 23u);
  let grow = bitcast<f32>(exponent << 23u);
  // Lower triangle. With odd n the last player is a dummy; its row of zeros never turns.
  let players = n + n % 2u;
  let base = group.x * players * players;
  for (var row = lane; row < players; row += WG) {
    for (var column = 0u; column <= row; column++) {
      var scaled = 0.0;
      if (row < n) {
        scaled = a[a_base + row * n + column] * shrink;
      }
      work[base + row * players + column] = scaled;
      if (row == column) {
        diagonal[row] = scaled;
        shift[row] = 0.0;
      }
    }
    if (VECTORS) {
      if (row < n) {
        for (var quad = 0u; quad < row_quads; quad++) {
          let columns = vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u);
          basis[basis_base + row * row_quads + quad] = select(vec4<f32>(0.0), vec4<f32>(1.0), columns == vec4<u32>(row));
        }
      }
    }
  }
  workgroupBarrier();
  storageBarrier();

  let pairs = players / 2u;
  // Two pairs i > j: rows 1 … pairs − 1 of a strict lower triangle. A lane (or STRIPES lanes) takes a short row and a long one, of equal
  // lengths together.
  const BLOCK_ROWS = WG / STRIPES;
  let last = pairs - 1u;
  let is_even = 1u - last % 2u;
  let row_pairs = (last + 1u) / 2u;
  var sweep = 0u;
  loop {
    var rotations = 0u;
    for (var round = 0u; round + 1u < players; round++) {
      for (var slot = lane; slot < pairs; slot += WG) {
        let first = player(slot, round, players);
        let second = player(players - 1u - slot, round, players);
        let p = min(first, second);
        let q = max(first, second);
        let at_pq = base + q * players + p;
        let a_pq = work[at_pq];
        var s = 0.0;
        var ratio = 0.0;
        let root_pp = sqrt(abs(diagonal[p] + shift[p]));
        let root_qq = sqrt(abs(diagonal[q] + shift[q]));
        if (abs(a_pq) > max(SKIP * root_pp * root_qq, NEGLIGIBLE)) {
          rotations++;
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
          // Nobody else touches these three.
          shift[p] -= t * a_pq;
          shift[q] += t * a_pq;
          work[at_pq] = 0.0;
        }
        pair_pq[slot] = p | (q << 16u);
        sine[slot] = s;
        tau[slot] = ratio;
      }
      workgroupBarrier();
      storageBarrier();
      // Blocks of two rows and two columns, one for each pair of pairs; a block is read and written by one invocation only.
      for (var a_row = lane / STRIPES; a_row < row_pairs; a_row += BLOCK_ROWS) {
        for (var half = 0u; half < 2u; half++) {
          let i = select(a_row + is_even, last - a_row, half == 1u);
          let ip = pair_pq[i] & 0xffffu;
          let iq = pair_pq[i] >> 16u;
          let si = sine[i];
          let ti = tau[i];
          for (var j = lane % STRIPES; j < i; j += STRIPES) {
            let sj = sine[j];
            if (si != 0.0 || sj != 0.0) {
              let tj = tau[j];
              let jp = pair_pq[j] & 0xffffu;
              let jq = pair_pq[j] >> 16u;
              let at_pp = base + max(ip, jp) * players + min(ip, jp);
              let at_pq = base + max(ip, jq) * players + min(ip, jq);
              let at_qp = base + max(iq, jp) * players + min(iq, jp);
              let at_qq = base + max(iq, jq) * players + min(iq, jq);
              let pp = work[at_pp];
              let pq = work[at_pq];
              let qp = work[at_qp];
              let qq = work[at_qq];
              let pp1 = pp - si * (qp + ti * pp);
              let qp1 = qp + si * (pp - ti * qp);
              let pq1 = pq - si * (qq + ti * pq);
              let qq1 = qq + si * (pq - ti * qq);
              work[at_pp] = pp1 - sj * (pq1 + tj * pp1);
              work[at_pq] = pq1 + sj * (pp1 - tj * pq1);
              work[at_qp] = qp1 - sj * (qq1 + tj * qp1);
              work[at_qq] = qq1 + sj * (qp1 - tj * qq1);
            }
          }
        }
      }
      if (VECTORS) {
        for (var slot = lane / STRIPES; slot < pairs; slot += BLOCK_ROWS) {
          let s = sine[slot];
          let ratio = tau[slot];
          let at_p = basis_base + (pair_pq[slot] & 0xffffu) * row_quads;
          let at_q = basis_base + (pair_pq[slot] >> 16u) * row_quads;
          if (s != 0.0) {
            for (var quad = lane % STRIPES; quad < row_quads; quad += STRIPES) {
              let x = basis[at_p + quad];
              let y = basis[at_q + quad];
              basis[at_p + quad] = x - s * (y + ratio * x);
              basis[at_q + quad] = y + s * (x - ratio * y);
            }
          }
        }
      }
      workgroupBarrier();
      storageBarrier();
    }
    sweep++;
    lane_count[lane] = rotations;
    for (var at = lane; at < n; at += WG) {
      diagonal[at] += shift[at];
      shift[at] = 0.0;
    }
    workgroupBarrier();
    if (lane == 0u) {
      var total = 0u;
      for (var at = 0u; at < WG; at++) {
        total += lane_count[at];
      }
      is_done = select(0u, 1u, total == 0u) | select(0u, 2u, sweep >= MAX_SWEEPS);
    }
    if (workgroupUniformLoad(&is_done) != 0u) {
      break;
    }
  }
  for (var at = lane; at < n; at += WG) {
    // Rank of each eigenvalue in descending order; ties keep their order.
    let value = diagonal[at];
    var rank = 0u;
    for (var other = 0u; other < n; other++) {
      let rival = diagonal[other];
      rank += select(0u, 1u, rival > value || (rival == value && other < at));
    }
    if (ASCENDING) {
      rank = n - 1u - rank;
    }
    values[group.x * n + rank] = value * grow;
    if (VECTORS) {
      for (var row = 0u; row < n; row++) {
        vectors[a_base + row * n + rank] = basis[basis_base + at * row_quads + row / 4u][row % 4u];
      }
    }
    var off = 0.0;
    for (var column = 0u; column < at; column++) {
      let entry = work[base + at * players + column];
      off += entry * entry;
    }
    row_squares[at] = vec2<f32>(off, value * value);
  }
  workgroupBarrier();
  if (lane == 0u) {
    // By rows, so that the sum does not depend on the workgroup's size.
    var squares = vec2<f32>();
    for (var row = 0u; row < n; row++) {
      squares += row_squares[row];
    }
    let off = 2.0 * squares.x;
    status[group.x * 4u] = sweep;
    status[group.x * 4u + 1u] = select(2u, 0u, (is_done & 1u) == 1u);
    status[group.x * 4u + 2u] = bitcast<u32>(sqrt(off) / sqrt(off + squares.y));
    status[group.x * 4u + 3u] = 0u;
  }
}
