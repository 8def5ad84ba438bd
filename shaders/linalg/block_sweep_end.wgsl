// block_sweep_end — ends a sweep of block Jacobi: counts it, and says which matrices are finished.
//
//   A matrix is finished after a sweep in which no entry exceeded the threshold of block_pair_solve, or after max_sweeps.
//
// Layout    counters u32[batch, pairs, 2]: words 0 are summed and cleared · state u32[batch, 4]: sweeps, flags (bit 1: not converged in
//           max_sweeps), 1 when finished (then nothing is touched), a word of the caller's
// Dispatch  (⌈batch/WG⌉, 1, 1); one invocation per matrix
// Knobs     WG workgroup size
// Error     exact
// Backward  not differentiated here
// Oracle    test/oracle/blockJacobi.ts
// Source    Golub & Van Loan 2013, Matrix Computations, §8.5
override WG: u32 = 32u;
struct Params { batch: u32, pairs: u32, max_sweeps: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> counters: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;

@compute @workgroup_size(WG)
fn block_sweep_end(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= params.batch || state[4u * id.x + 2u] != 0u) {
    return;
  }
  var total = 0u;
  for (var pair = 0u; pair < params.pairs; pair++) {
    let at = 2u * (id.x * params.pairs + pair);
    total += counters[at];
    counters[at] = 0u;
  }
  let sweeps = state[4u * id.x] + 1u;
  state[4u * id.x] = sweeps;
  if (total == 0u) {
    state[4u * id.x + 2u] = 1u;
  } else if (sweeps >= params.max_sweeps) {
    state[4u * id.x + 1u] |= 2u;
    state[4u * id.x + 2u] = 1u;
  }
}
