// epoch_indices — image indices of a step's batch: every epoch goes through the data set in another pseudo-random order.
//
//   batches = ⌊count/batch⌋ · epoch = ⌊step/batches⌋ · position = (step mod batches)·batch + i;  the short last batch is dropped
//   indices[i] = π_epoch(position),  π a Feistel network on the ⌈log₂ count⌉ bits of a position (at least 2), repeated until the
//   result is below count (cycle walking: fewer than two times on average), hence a permutation of 0 … count − 1
//
//   round r: one half ^= threefry(key = (seed, stream), counter = (other half + 2¹⁶·r, epoch)) mod its size; halves take turns; 8 rounds,
//   24 below 8 bits, which 8 do not mix (χ² of places and of neighbours)
//
// Layout    indices u32[batch]; 1 ≤ batch ≤ count; the step counter from the step state
// Dispatch  ⌈batch/WG⌉ workgroups, folded into y
// Knobs     WG workgroup size
// Error     exact (integers)
// Backward  not differentiated
// Oracle    test/oracle/augment.ts
// Source    Black & Rogaway 2002, Ciphers with arbitrary finite domains (cycle walking); Luby & Rackoff 1988 (Feistel rounds)
//#include "lib/index.wgsl"
//#include "lib/random.wgsl"
//#include "lib/step_state.wgsl"
override WG: u32 = 64u;
struct Params { count: u32, batch: u32, seed: u32, stream: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: StepState;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;

fn permuted(position: u32, epoch: u32) -> u32 {
  let bits = max(2u, 32u - countLeadingZeros(params.count - 1u));
  let low_bits = bits / 2u;
  let low_mask = (1u << low_bits) - 1u;
  let high_mask = (1u << (bits - low_bits)) - 1u;
  let key = vec2<u32>(params.seed, params.stream);
  let rounds = select(8u, 24u, bits < 8u);
  var at = position;
  loop {
    var low = at & low_mask;
    var high = at >> low_bits;
    for (var round = 0u; round < rounds; round += 2u) {
      high ^= threefry2x32(key, vec2<u32>(low + (round << 16u), epoch)).x & high_mask;
      low ^= threefry2x32(key, vec2<u32>(high + ((round + 1u) << 16u), epoch)).x & low_mask;
    }
    at = (high << low_bits) | low;
    if (at < params.count) {
      break;
    }
  }
  return at;
}

@compute @workgroup_size(WG)
fn epoch_indices(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = workgroup_index(group, groups) * WG + lane;
  if (i < params.batch) {
    let batches = params.count / params.batch;
    indices[i] = permuted((state.step % batches) * params.batch + i, state.step / batches);
  }
}
