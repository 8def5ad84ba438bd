// Count, sum and summed squared deviations of samples of four channels, merged without forming E[x²] − E[x]²; no bindings. The including
// kernel declares the knobs WG and QUADS; lanes with equal lane % QUADS share four channels.
// Source: Chan, Golub & LeVeque 1983, Algorithms for computing the sample variance.

struct Moments {
  count: f32,
  sum: vec4<f32>,
  squares: vec4<f32>,
}

fn merge_moments(a: Moments, b: Moments) -> Moments {
  let count = a.count + b.count;
  // An empty side has weight 0; its mean only has to be finite.
  let difference = b.sum / max(b.count, 1.0) - a.sum / max(a.count, 1.0);
  let weight = a.count * b.count / max(count, 1.0);
  return Moments(count, a.sum + b.sum, a.squares + b.squares + weight * difference * difference);
}

var<workgroup> lane_counts: array<f32, WG>;
var<workgroup> lane_sums: array<vec4<f32>, WG>;
var<workgroup> lane_squares: array<vec4<f32>, WG>;

// Moments of all lanes that share channels, in each of them, by a fixed tree. Must be reached by the whole workgroup.
fn workgroup_moments(own: Moments, lane: u32) -> Moments {
  lane_counts[lane] = own.count;
  lane_sums[lane] = own.sum;
  lane_squares[lane] = own.squares;
  workgroupBarrier();
  for (var half = WG / 2u; half >= QUADS; half = half / 2u) {
    if (lane < half) {
      let other = lane + half;
      let merged = merge_moments(
        Moments(lane_counts[lane], lane_sums[lane], lane_squares[lane]),
        Moments(lane_counts[other], lane_sums[other], lane_squares[other]),
      );
      lane_counts[lane] = merged.count;
      lane_sums[lane] = merged.sum;
      lane_squares[lane] = merged.squares;
    }
    workgroupBarrier();
  }
  let first = lane % QUADS;
  return Moments(lane_counts[first], lane_sums[first], lane_squares[first]);
}
