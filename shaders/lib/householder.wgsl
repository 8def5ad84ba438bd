// Householder QR four columns (a strip) at a time, by one workgroup, in the including kernel's `work: array<vec4<f32>>`. The including
// kernel declares the knobs WG, GROUPS (lanes side by side over strips) and STRIPES = WG / GROUPS (lanes that share a strip's rows).
//
// A strip's reflections are H = I - V T Vᵀ (Schreiber & Van Loan 1989), V unit lower trapezoidal, stored below the diagonal.

var<workgroup> lane_dots: array<vec4<f32>, 2u * WG>;
var<workgroup> lane_products: array<vec4<f32>, 4u * WG>;

const COLUMN_INDEX: vec4<u32> = vec4<u32>(0u, 1u, 2u, 3u);

// Sum of lane_dots[slot·WG …] over all lanes, in every lane, in a fixed order; with more than 16 lanes in two steps.
fn sum_dots(slot: u32, lane: u32) -> vec4<f32> {
  workgroupBarrier();
  let at = slot * WG;
  if (WG > 16u) {
    var part = lane_dots[at + lane % 16u];
    for (var other = lane % 16u + 16u; other < WG; other += 16u) {
      part += lane_dots[at + other];
    }
    workgroupBarrier();
    if (lane < 16u) {
      lane_dots[at + lane] = part;
    }
    workgroupBarrier();
  }
  const TERMS = min(WG, 16u);
  var total = lane_dots[at];
  for (var other = 1u; other < TERMS; other++) {
    total += lane_dots[at + other];
  }
  return total;
}

// Factors the strip whose element in row 0 is work[at]: rows `first` (of its diagonal) to `rows`. Returns T by columns. On return the
// strip is written but no barrier has passed.
fn factor_strip(at: u32, stride: u32, first: u32, rows: u32, lane: u32) -> mat4x4<f32> {
  var t = mat4x4<f32>();
  // The rows of the diagonal, kept by every lane.
  var top: array<vec4<f32>, 4>;
  for (var i = 0u; i < 4u; i++) { //#unroll
    top[i] = work[at + (first + i) * stride];
  }
  var dots = vec4<f32>();
  for (var row = first + 4u + lane; row < rows; row += WG) {
    let x = work[at + row * stride];
    dots += x * x.x;
  }
  for (var j = 0u; j < 4u; j++) { //#unroll
    lane_dots[(j % 2u) * WG + lane] = dots;
    var sums = sum_dots(j % 2u, lane);
    for (var i = j + 1u; i < 4u; i++) { //#unroll
      sums += top[i] * top[i][j];
    }
    let alpha = top[j][j];
    let below = sums[j];
    var beta = alpha;
    var tau = 0.0;
    var inverse = 0.0;
    if (below > 0.0) {
      let norm = sqrt(alpha * alpha + below);
      beta = select(norm, -norm, alpha >= 0.0);
      tau = (beta - alpha) / beta;
      inverse = 1.0 / (alpha - beta);
    }
    // vⱼᵀ times each column: of what is left for columns after j, of earlier reflections for columns before.
    let products = top[j] + inverse * sums;
    let change = select(vec4<f32>(), tau * products, COLUMN_INDEX > vec4<u32>(j));
    let earlier = select(vec4<f32>(), products, COLUMN_INDEX < vec4<u32>(j));
    t[j] = select(-tau * (t * earlier), vec4<f32>(tau), COLUMN_INDEX == vec4<u32>(j));
    top[j] -= change;
    top[j][j] = beta;
    for (var i = j + 1u; i < 4u; i++) { //#unroll
      let v = top[i][j] * inverse;
      top[i] -= change * v;
      top[i][j] = v;
    }
    dots = vec4<f32>();
    for (var row = first + 4u + lane; row < rows; row += WG) {
      var x = work[at + row * stride];
      let v = x[j] * inverse;
      x -= change * v;
      x[j] = v;
      dots += x * x[(j + 1u) % 4u];
      work[at + row * stride] = x;
    }
  }
  // All lanes have passed three barriers since they read the diagonal's rows.
  if (lane == 0u) {
    for (var i = 0u; i < 4u; i++) { //#unroll
      work[at + (first + i) * stride] = top[i];
    }
  }
  return t;
}

// Row i of V on the strip's diagonal block, from what is stored there.
fn unit_lower(stored: vec4<f32>, i: u32) -> vec4<f32> {
  let below = select(vec4<f32>(), stored, COLUMN_INDEX < vec4<u32>(i));
  return select(below, vec4<f32>(1.0), COLUMN_INDEX == vec4<u32>(i));
}

// Vᵀ A for the strip V at work[at] and the strip A at work[other]; column k of the result is v_kᵀ A. Reached by all lanes; lanes of one
// member share the rows. No value is written; after it every lane's reads of A are done.
fn strip_products(at: u32, other: u32, stride: u32, first: u32, rows: u32, lane: u32) -> mat4x4<f32> {
  var w0 = vec4<f32>();
  var w1 = vec4<f32>();
  var w2 = vec4<f32>();
  var w3 = vec4<f32>();
  for (var row = first + 4u + lane / GROUPS; row < rows; row += STRIPES) {
    let v = work[at + row * stride];
    let a = work[other + row * stride];
    w0 += v.x * a;
    w1 += v.y * a;
    w2 += v.z * a;
    w3 += v.w * a;
  }
  var top = mat4x4<f32>();
  for (var i = 0u; i < 4u; i++) { //#unroll
    let v = unit_lower(work[at + (first + i) * stride], i);
    let a = work[other + (first + i) * stride];
    top[0] += v.x * a;
    top[1] += v.y * a;
    top[2] += v.z * a;
    top[3] += v.w * a;
  }
  if (STRIPES > 1u) {
    lane_products[4u * lane] = w0;
    lane_products[4u * lane + 1u] = w1;
    lane_products[4u * lane + 2u] = w2;
    lane_products[4u * lane + 3u] = w3;
    workgroupBarrier();
    let member = lane % GROUPS;
    for (var stripe = 0u; stripe < STRIPES; stripe++) {
      let start = 4u * (stripe * GROUPS + member);
      top[0] += lane_products[start];
      top[1] += lane_products[start + 1u];
      top[2] += lane_products[start + 2u];
      top[3] += lane_products[start + 3u];
    }
    workgroupBarrier();
  } else {
    top = mat4x4<f32>(top[0] + w0, top[1] + w1, top[2] + w2, top[3] + w3);
  }
  return top;
}

// A ← A - V·w for this lane's rows of the strip A at work[other].
fn strip_update(at: u32, other: u32, stride: u32, first: u32, rows: u32, w: mat4x4<f32>, lane: u32) {
  if (lane < GROUPS) {
    for (var i = 0u; i < 4u; i++) { //#unroll
      let v = unit_lower(work[at + (first + i) * stride], i);
      work[other + (first + i) * stride] -= w * v;
    }
  }
  for (var row = first + 4u + lane / GROUPS; row < rows; row += STRIPES) {
    work[other + row * stride] -= w * work[at + row * stride];
  }
}
