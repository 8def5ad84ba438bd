// svd_values — singular values, in descending order, from orthogonal rows; their order, and the status of the solve.
//
//   σ = grow·‖row‖.
//
// Layout    x f32[batch, x_count, 4·quads], the first `count` rows orthogonal · order u32[batch, order_words] of svd_order
//           state u32[batch, 4] of the Jacobi sweeps · cosines u32[batch, pairs] of svd_gram (with pairs > 0; else state has the largest)
//           values f32[batch, count] descending · ranking u32[batch, 2·count]: for each place the row that goes there, then bits of
//           1/‖row‖ by place (0 for a row that counts as zero) · status u32[batch, 4]: sweeps, flags (bit 0: NaN or infinite, all values 0;
//           bit 1: not converged), bits of the largest remaining cosine of two rows, residual (not written here: 0)
// Dispatch  (batch, 1, 1); one workgroup per matrix
// Knobs     WG workgroup size, COUNT largest number of rows (workgroup memory)
// Error     γ_{quads + 6} relative to the norm, then one rounding when grow overflows or underflows
// Backward  not differentiated here
// Oracle    test/oracle/svd.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.6.3
override WG: u32 = 64u;
override COUNT: u32 = 128u;
// Squared norms below this are zero for us, as in svd_jacobi.
const NEGLIGIBLE: f32 = 1e-34;
struct Params { batch: u32, count: u32, x_count: u32, quads: u32, order_words: u32, pairs: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read> cosines: array<u32>;
@group(0) @binding(5) var<storage, read_write> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> ranking: array<u32>;
@group(0) @binding(7) var<storage, read_write> status: array<u32>;

var<workgroup> norms: array<f32, COUNT>;

@compute @workgroup_size(WG)
fn svd_values(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = params.count;
  let base = group.x * params.x_count * params.quads;
  for (var row = lane; row < count; row += WG) {
    var squares = vec4<f32>();
    for (var k = 0u; k < params.quads; k++) {
      let v = x[base + row * params.quads + k];
      squares += v * v;
    }
    norms[row] = sqrt((squares.x + squares.y) + (squares.z + squares.w));
  }
  workgroupBarrier();
  let grow = bitcast<f32>(order[group.x * params.order_words + 1u]);
  for (var row = lane; row < count; row += WG) {
    let norm = norms[row];
    var rank = 0u;
    for (var other = 0u; other < count; other++) {
      let rival = norms[other];
      rank += select(0u, 1u, rival > norm || (rival == norm && other < row));
    }
    values[group.x * count + rank] = norm * grow;
    ranking[2u * group.x * count + rank] = row;
    ranking[2u * group.x * count + count + rank] = select(0u, bitcast<u32>(1.0 / norm), norm * norm > NEGLIGIBLE);
  }
  if (lane == 0u) {
    let words = 4u * group.x;
    status[words] = state[words];
    status[words + 1u] = state[words + 1u] | order[group.x * params.order_words + 2u];
    var cosine = select(state[words + 2u], 0u, params.pairs > 0u);
    for (var pair = 0u; pair < params.pairs; pair++) {
      cosine = max(cosine, cosines[group.x * params.pairs + pair]);
    }
    status[words + 2u] = cosine;
    status[words + 3u] = 0u;
  }
}
