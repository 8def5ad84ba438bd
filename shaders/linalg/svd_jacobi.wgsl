// svd_jacobi — one-sided Jacobi: rotates the rows of each matrix of a batch until they are orthogonal.
//
//   J X has orthogonal rows; their norms are the singular values of X. Rows go in blocks of two, blocks meet in round-robin order as in
//   jacobi_eigh. Where two blocks meet, the 4 × 4 Gram matrix is computed from the rows, its six pairs are rotated in turn,
//   x ← x − s(y + τx), y ← y + s(x − τy), τ = s/(1 + c), and the product Q of the rotations is applied as X ← X + (Q − I)ᵀX.
//
// Layout    x f32[batch, count, 4·quads] in place, padded by zeros · basis f32[batch, count, 4·quads] J (with BASIS)
//           state u32[batch, 4]: sweeps, flags (bit 1: not converged in MAX_SWEEPS), bits of the largest remaining cosine, 0
// Dispatch  (batch, 1, 1); one workgroup per matrix
// Knobs     WG workgroup size, a multiple of TEAM; TEAM lanes that share two blocks (1 on software adapters, where barriers are dear),
//           BASIS accumulates J, MAX_SWEEPS
// Error     a pair is left alone when its cosine is at most 2⁻²²; relative, so that rows of any scales become orthogonal. Values as in
//           test/kernels/svd.test.ts. Rows of norm below 1e-17 (X scaled to largest entry 1 … 2) count as zero
// Backward  not differentiated here
// Oracle    test/oracle/svd.ts
// Source    Hestenes 1958; Demmel & Veselić 1992 (relative accuracy); ordering: Brent & Luk 1985; rotation: Rutishauser 1966
//#include "lib/tournament.wgsl"
override WG: u32 = 64u;
override TEAM: u32 = 4u;
const BASIS: bool = false; //#knob
override MAX_SWEEPS: u32 = 30u;
// 2⁻²²: four units of rounding; below it a computed cosine is noise.
const TOLERANCE: f32 = 2.3841858e-7;
// Squared norms below this are zero for us: their products with others would be flushed as denormals.
const NEGLIGIBLE: f32 = 1e-34;
struct Params { batch: u32, count: u32, quads: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> basis: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;

var<workgroup> lane_sums: array<mat4x4<f32>, WG>;
var<workgroup> lane_rotations: array<u32, WG>;
var<workgroup> lane_cosine: array<f32, WG>;
var<workgroup> is_done: u32;

const COLUMN_INDEX: vec4<u32> = vec4<u32>(0u, 1u, 2u, 3u);

fn total(v: vec4<f32>) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

// Sums over the lanes of a team, in a fixed order. Reached by all lanes.
fn team_sum(mine: mat4x4<f32>, lane: u32) -> mat4x4<f32> {
  var sums = mine;
  if (TEAM > 1u) {
    let first = lane - lane % TEAM;
    lane_sums[lane] = mine;
    workgroupBarrier();
    sums = lane_sums[first];
    for (var other = 1u; other < TEAM; other++) {
      sums += lane_sums[first + other];
    }
    workgroupBarrier();
  }
  return sums;
}

fn cosine(uu: f32, vv: f32, uv: f32) -> f32 {
  return select(0.0, abs(uv) / (sqrt(uu) * sqrt(vv)), min(uu, vv) > NEGLIGIBLE);
}

// (s, τ, t) of the rotation that makes two rows with squared norms uu and vv and product uv orthogonal; 0 when they are.
fn rotation(uu: f32, vv: f32, uv: f32) -> vec3<f32> {
  let theta = (vv - uu) / (2.0 * uv);
  // Beyond 1e9 the square of theta swamps the one under the root, and would overflow beyond 1e19.
  let bounded = clamp(theta, -1e9, 1e9);
  let near = select(-1.0, 1.0, theta >= 0.0) / (abs(bounded) + sqrt(bounded * bounded + 1.0));
  let t = select(near, 0.5 / theta, abs(theta) > 1e9);
  let c = 1.0 / sqrt(t * t + 1.0);
  let s = t * c;
  return select(vec3<f32>(), vec3<f32>(s, s / (1.0 + c), t), cosine(uu, vv, uv) > TOLERANCE);
}

@compute @workgroup_size(WG)
fn svd_jacobi(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = params.count;
  let quads = params.quads;
  let base = group.x * count * quads;
  let member = lane % TEAM;
  const TEAMS = WG / TEAM;
  let blocks = (count + 1u) / 2u;
  let players = blocks + blocks % 2u;
  let pairs = players / 2u;
  if (BASIS) {
    let entries = count * quads;
    for (var at = lane; at < entries; at += WG) {
      let columns = 4u * (at % quads) + COLUMN_INDEX;
      basis[base + at] = select(vec4<f32>(), vec4<f32>(1.0), columns == vec4<u32>(at / quads));
    }
    storageBarrier();
  }
  var sweep = 0u;
  loop {
    var rotations = 0u;
    var largest_cosine = 0.0;
    for (var round = 0u; round + 1u < players; round++) {
      for (var start = 0u; start < pairs; start += TEAMS) {
        let slot = start + lane / TEAM;
        let first = 2u * player(slot, round, players);
        let second = 2u * player(players - 1u - slot, round, players);
        let rows = vec4<u32>(first, first + 1u, second, second + 1u);
        // Rows that do not exist are zero and so never turn (read as another row of this pair, which no other team touches); teams
        // without a pair have nothing to sum.
        let is_row = rows < vec4<u32>(count);
        let keep = select(vec4<f32>(), vec4<f32>(1.0), is_row);
        let at = vec4<u32>(base) + select(vec4<u32>(min(first, second)), rows, is_row) * quads;
        let end = select(0u, quads, slot < pairs);
        var aa = vec4<f32>();
        var ab = vec4<f32>();
        var ac = vec4<f32>();
        var ad = vec4<f32>();
        var bb = vec4<f32>();
        var bc = vec4<f32>();
        var bd = vec4<f32>();
        var cc = vec4<f32>();
        var cd = vec4<f32>();
        var dd = vec4<f32>();
        for (var k = member; k < end; k += TEAM) {
          let a = x[at.x + k] * keep.x;
          let b = x[at.y + k] * keep.y;
          let c = x[at.z + k] * keep.z;
          let d = x[at.w + k] * keep.w;
          aa += a * a;
          ab += a * b;
          ac += a * c;
          ad += a * d;
          bb += b * b;
          bc += b * c;
          bd += b * d;
          cc += c * c;
          cd += c * d;
          dd += d * d;
        }
        let mine = vec4<f32>(total(ab), total(ac), total(bc), total(ad));
        let others = vec2<f32>(total(bd), total(cd));
        var gram = team_sum(
          mat4x4<f32>(
            vec4<f32>(total(aa), mine.x, mine.y, mine.w),
            vec4<f32>(mine.x, total(bb), mine.z, others.x),
            vec4<f32>(mine.y, mine.z, total(cc), others.y),
            vec4<f32>(mine.w, others.x, others.y, total(dd)),
          ),
          lane,
        );
        var worst = 0.0;
        for (var i = 0u; i < 4u; i++) { //#unroll
          for (var j = i + 1u; j < 4u; j++) { //#unroll
            worst = max(worst, cosine(gram[i][i], gram[j][j], gram[i][j]));
          }
        }
        largest_cosine = max(largest_cosine, worst);
        if (worst > TOLERANCE) {
          rotations++;
          // Q - I by columns: small rotations keep their digits.
          var p = mat4x4<f32>();
          for (var i = 0u; i < 4u; i++) { //#unroll
            for (var j = i + 1u; j < 4u; j++) { //#unroll
              let product = gram[i][j];
              let turn = rotation(gram[i][i], gram[j][j], product);
              let s = turn.x;
              let tau = turn.y;
              let u = p[i] + select(vec4<f32>(), vec4<f32>(1.0), COLUMN_INDEX == vec4<u32>(i));
              let v = p[j] + select(vec4<f32>(), vec4<f32>(1.0), COLUMN_INDEX == vec4<u32>(j));
              p[i] -= s * (v + tau * u);
              p[j] += s * (u - tau * v);
              // Columns of the Gram matrix, then, for symmetry, rows; the pair's own entries by the exact formulas.
              let uu = gram[i][i] - turn.z * product;
              let vv = gram[j][j] + turn.z * product;
              let gi = gram[i] - s * (gram[j] + tau * gram[i]);
              let gj = gram[j] + s * (gram[i] - tau * gram[j]);
              gram[i] = gi;
              gram[j] = gj;
              for (var k = 0u; k < 4u; k++) { //#unroll
                gram[k][i] = gi[k];
                gram[k][j] = gj[k];
              }
              gram[i][i] = uu;
              gram[j][j] = vv;
              gram[i][j] = select(product, 0.0, s != 0.0);
              gram[j][i] = gram[i][j];
            }
          }
          for (var k = member; k < quads; k += TEAM) {
            let a = x[at.x + k];
            let b = x[at.y + k];
            let c = x[at.z + k];
            let d = x[at.w + k];
            let strip = mat4x4<f32>(a * keep.x, b * keep.y, c * keep.z, d * keep.w);
            // The four rows are the columns of `strip`: strip·p[r] is the sum over the four rows.
            let turned_a = a + strip * p[0];
            let turned_b = b + strip * p[1];
            let turned_c = c + strip * p[2];
            let turned_d = d + strip * p[3];
            if (is_row.x) {
              x[at.x + k] = turned_a;
            }
            if (is_row.y) {
              x[at.y + k] = turned_b;
            }
            if (is_row.z) {
              x[at.z + k] = turned_c;
            }
            if (is_row.w) {
              x[at.w + k] = turned_d;
            }
            if (BASIS) {
              let e = basis[at.x + k];
              let f = basis[at.y + k];
              let g = basis[at.z + k];
              let h = basis[at.w + k];
              let part = mat4x4<f32>(e * keep.x, f * keep.y, g * keep.z, h * keep.w);
              if (is_row.x) {
                basis[at.x + k] = e + part * p[0];
              }
              if (is_row.y) {
                basis[at.y + k] = f + part * p[1];
              }
              if (is_row.z) {
                basis[at.z + k] = g + part * p[2];
              }
              if (is_row.w) {
                basis[at.w + k] = h + part * p[3];
              }
            }
          }
        }
      }
      storageBarrier();
    }
    sweep++;
    lane_rotations[lane] = rotations;
    lane_cosine[lane] = largest_cosine;
    workgroupBarrier();
    if (lane == 0u) {
      for (var other = 1u; other < WG; other++) {
        rotations += lane_rotations[other];
        largest_cosine = max(largest_cosine, lane_cosine[other]);
      }
      is_done = select(0u, 1u, rotations == 0u) | select(0u, 2u, sweep >= MAX_SWEEPS);
    }
    if (workgroupUniformLoad(&is_done) != 0u) {
      if (lane == 0u) {
        let words = 4u * group.x;
        state[words] = sweep;
        state[words + 1u] = select(2u, 0u, rotations == 0u);
        state[words + 2u] = bitcast<u32>(largest_cosine);
        state[words + 3u] = 0u;
      }
      break;
    }
  }
}
