// jacobi_eigh — eigenvalues (and with VECTORS eigenvectors) of a batch of real symmetric matrices by two-sided cyclic Jacobi.
//
//   A = V diag(λ) Vᵀ, λ descending. Round-robin (tournament) ordering: ⌈n/2⌉ disjoint rotations per round, all rounds of a sweep visit
//   every pair once. Rotations in Rutishauser's form, x ← x − s(y + τx), y ← y + s(x − τy), τ = s/(1 + c).
//
// Layout    a f32[batch, n, n] row-major, lower triangle read · values f32[batch, n] · vectors f32[batch, n, n], column j for λ_j
//           work f32[batch, n, n] scratch · basis f32[batch, n, n] scratch (used with VECTORS) · status u32[batch, 4]: sweeps, flags
//           (bit 0: NaN or infinite input, values are then 0; bit 1: not converged in MAX_SWEEPS), off-norm as f32 bits, residual (not
//           written here)
// Dispatch  (batch, 1, 1); one workgroup per matrix
// Knobs     WG workgroup size, N_MAX largest n (workgroup memory: a few n), MAX_SWEEPS, VECTORS
// Error     max|λ̂ − λ| ≤ 4·√n·u·|λ|_max (2.54 measured), ‖AV − V·diag(λ̂)‖_F ≤ 2·n·u·‖A‖_F (0.94), ‖VᵀV − I‖_F ≤ 4·n·u (1.77), for n ≤ 64
//           in test/kernels/eigh.test.ts (u = 2⁻²⁴). The matrix is scaled by an exact power of two first, so A·2^k has the same bits
//           but for the exponent
// Backward  not differentiated here
// Oracle    test/oracle/eigh.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.5; ordering: Brent & Luk 1985; rotation: Rutishauser 1966
//#include "lib/math.wgsl"
override WG: u32 = 32u;
override N_MAX: u32 = 64u;
const VECTORS: bool = false; //#knob
override MAX_SWEEPS: u32 = 20u;
// A rotation is skipped when |a_pq| ≤ 2⁻²⁵·√|a_pp·a_qq|: it would move no diagonal entry by more than half a unit in the last place.
const SKIP: f32 = 2.9802322e-8;
// Entries below this, relative to the largest, are zero for us: their products would be flushed as denormals.
const NEGLIGIBLE: f32 = 1e-18;
struct Params { batch: u32, n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> work: array<f32>;
@group(0) @binding(3) var<storage, read_write> basis: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> vectors: array<f32>;
@group(0) @binding(6) var<storage, read_write> status: array<u32>;

var<workgroup> pair_p: array<u32, N_MAX>;
var<workgroup> pair_q: array<u32, N_MAX>;
var<workgroup> sine: array<f32, N_MAX>;
var<workgroup> tau: array<f32, N_MAX>;
var<workgroup> tangent: array<f32, N_MAX>;
var<workgroup> lane_max: array<u32, WG>;
var<workgroup> lane_count: array<u32, WG>;
var<workgroup> is_done: u32;

// Player at a slot of the tournament in a round: slot 0 stays, the others move on by one each round.
fn player(slot: u32, round: u32, players: u32) -> u32 {
  if (slot == 0u) {
    return 0u;
  }
  return 1u + (slot - 1u + round) % (players - 1u);
}

@compute @workgroup_size(WG)
fn jacobi_eigh(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let n = params.n;
  let base = group.x * n * n;
  // Largest magnitude as bits: for non-negative floats the order of the bits is the order of the numbers, NaN and infinity on top.
  var largest = 0u;
  for (var at = lane; at < n * n; at += WG) {
    if (at / n >= at % n) {
      largest = max(largest, bitcast<u32>(a[base + at]) & 0x7fffffffu);
    }
  }
  lane_max[lane] = largest;
  workgroupBarrier();
  if (lane == 0u) {
    for (var at = 1u; at < WG; at++) {
      largest = max(largest, lane_max[at]);
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
        vectors[base + at] = select(0.0, 1.0, at / n == at % n);
      }
    }
    if (lane == 0u) {
      status[group.x * 4u] = 0u;
      status[group.x * 4u + 1u] = select(0u, 1u, largest >= 0x7f800000u);
      status[group.x * 4u + 2u] = 0u;
    }
    return;
  }
  // 2^-e and 2^e with the largest entry in [2^e, 2^(e+1)); the extreme exponents are kept where both are normal numbers.
  let exponent = clamp(largest >> 23u, 2u, 252u);
  let shrink = bitcast<f32>((254u - exponent) << 23u);
  let grow = bitcast<f32>(exponent << 23u);
  for (var at = lane; at < n * n; at += WG) {
    let row = at / n;
    let column = at % n;
    work[base + at] = a[base + max(row, column) * n + min(row, column)] * shrink;
    if (VECTORS) {
      basis[base + at] = select(0.0, 1.0, row == column);
    }
  }
  storageBarrier();

  let players = n + n % 2u;
  let pairs = players / 2u;
  let all_pairs = pairs * pairs;
  var sweep = 0u;
  loop {
    var rotations = 0u;
    for (var round = 0u; round + 1u < players; round++) {
      for (var slot = lane; slot < pairs; slot += WG) {
        let first = player(slot, round, players);
        let second = player(players - 1u - slot, round, players);
        let p = min(first, second);
        let q = max(first, second);
        var s = 0.0;
        var t = 0.0;
        var ratio = 0.0;
        // With odd n the last player is a dummy, and its partner rests.
        if (q < n) {
          let a_pp = work[base + p * n + p];
          let a_qq = work[base + q * n + q];
          let a_pq = work[base + q * n + p];
          if (abs(a_pq) > max(SKIP * sqrt(abs(a_pp)) * sqrt(abs(a_qq)), NEGLIGIBLE)) {
            rotations++;
            let theta = (a_qq - a_pp) / (2.0 * a_pq);
            // Beyond 1e9 the square of theta swamps the one under the root, and would overflow beyond 1e19.
            if (abs(theta) > 1e9) {
              t = 0.5 / theta;
            } else {
              t = select(-1.0, 1.0, theta >= 0.0) / (abs(theta) + sqrt(theta * theta + 1.0));
            }
            let c = 1.0 / sqrt(t * t + 1.0);
            s = t * c;
            ratio = s / (1.0 + c);
          }
        }
        pair_p[slot] = p;
        pair_q[slot] = q;
        sine[slot] = s;
        tau[slot] = ratio;
        tangent[slot] = t;
      }
      workgroupBarrier();
      storageBarrier();
      // Blocks of two rows and two columns, one for each pair of pairs; a block is read and written by one invocation only.
      for (var pair = lane; pair < all_pairs; pair += WG) {
        let i = pair / pairs;
        let j = pair % pairs;
        if (i >= j) {
          let ip = pair_p[i];
          let iq = pair_q[i];
          let jp = pair_p[j];
          let jq = pair_q[j];
          if (i == j) {
            if (sine[i] != 0.0) {
              let shift = tangent[i] * work[base + iq * n + ip];
              work[base + ip * n + ip] -= shift;
              work[base + iq * n + iq] += shift;
              work[base + iq * n + ip] = 0.0;
              work[base + ip * n + iq] = 0.0;
            }
          } else if (sine[i] != 0.0 || sine[j] != 0.0) {
            // An index of n is the dummy's: its row and column do not exist and do not turn.
            let has_iq = iq < n;
            let has_jq = jq < n;
            var pp = work[base + ip * n + jp];
            var pq = 0.0;
            var qp = 0.0;
            var qq = 0.0;
            if (has_jq) {
              pq = work[base + ip * n + jq];
            }
            if (has_iq) {
              qp = work[base + iq * n + jp];
            }
            if (has_iq && has_jq) {
              qq = work[base + iq * n + jq];
            }
            let si = sine[i];
            let ti = tau[i];
            let sj = sine[j];
            let tj = tau[j];
            let pp1 = pp - si * (qp + ti * pp);
            let qp1 = qp + si * (pp - ti * qp);
            let pq1 = pq - si * (qq + ti * pq);
            let qq1 = qq + si * (pq - ti * qq);
            pp = pp1 - sj * (pq1 + tj * pp1);
            pq = pq1 + sj * (pp1 - tj * pq1);
            qp = qp1 - sj * (qq1 + tj * qp1);
            qq = qq1 + sj * (qp1 - tj * qq1);
            work[base + ip * n + jp] = pp;
            work[base + jp * n + ip] = pp;
            if (has_jq) {
              work[base + ip * n + jq] = pq;
              work[base + jq * n + ip] = pq;
            }
            if (has_iq) {
              work[base + iq * n + jp] = qp;
              work[base + jp * n + iq] = qp;
            }
            if (has_iq && has_jq) {
              work[base + iq * n + jq] = qq;
              work[base + jq * n + iq] = qq;
            }
          }
        }
      }
      if (VECTORS) {
        for (var at = lane; at < n * pairs; at += WG) {
          let row = at / pairs;
          let i = at % pairs;
          if (sine[i] != 0.0) {
            let x = basis[base + row * n + pair_p[i]];
            let y = basis[base + row * n + pair_q[i]];
            basis[base + row * n + pair_p[i]] = x - sine[i] * (y + tau[i] * x);
            basis[base + row * n + pair_q[i]] = y + sine[i] * (x - tau[i] * y);
          }
        }
      }
      workgroupBarrier();
      storageBarrier();
    }
    sweep++;
    lane_count[lane] = rotations;
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
  // Rank of each eigenvalue in descending order; ties keep their order.
  for (var at = lane; at < n; at += WG) {
    let value = work[base + at * n + at];
    var rank = 0u;
    for (var other = 0u; other < n; other++) {
      let rival = work[base + other * n + other];
      rank += select(0u, 1u, rival > value || (rival == value && other < at));
    }
    values[group.x * n + rank] = value * grow;
    if (VECTORS) {
      for (var row = 0u; row < n; row++) {
        vectors[base + row * n + rank] = basis[base + row * n + at];
      }
    }
  }
  if (lane == 0u) {
    status[group.x * 4u] = sweep;
    status[group.x * 4u + 1u] = select(2u, 0u, (is_done & 1u) == 1u);
  }
}
