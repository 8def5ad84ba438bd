// tree_edges — for 32 samples a word, what every node of a latent tree becomes if its parent is 0 and if it is 1.
//
//   bit s of words[…, 0] = [U_s < p₀],  of words[…, 1] = [U_s < p₁],  p_z = P(node = 1 | parent = z) = thresholds·2⁻³⁰
//   U_s: 30 random bits. Bit 29 − j of all 32 samples is word j of threefry(key = (seed of the trial, stream), counter = (step, block')),
//   block' = ((view·blocks + block)·nodes + node)·16 + ⌊j/2⌋. Words are drawn until every sample is decided: about 8 of 30.
//   The root has no parent: p₀ = p₁. View 1 has view 0's root (the positive shares it); with OPPOSITE view 2 has the other value,
//   otherwise a root of its own.
//
// Layout    seeds u32[trials] · thresholds vec2<u32>[trials, nodes], 0 … 2³⁰ · words vec2<u32>[views, trials, blocks, nodes]
// Dispatch  ⌈views·trials·blocks·nodes/WG⌉ workgroups, folded into y; one invocation a word pair
// Knobs     WG workgroup size, OPPOSITE
// Error     exact for the thresholds; a probability is rounded to a multiple of 2⁻³⁰
// Backward  not differentiated
// Oracle    test/oracle/hltm.ts
// Source    Salmon et al. 2011 (threefry2x32-20); ancestral sampling of Tian et al. 2020 (arXiv 2010.00578v6), 32 samples side by side
//#include "lib/index.wgsl"
//#include "lib/random.wgsl"
//#include "lib/step_state.wgsl"
override WG: u32 = 64u;
const OPPOSITE: bool = false; //#knob
struct Params { views: u32, trials: u32, blocks: u32, nodes: u32, stream: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: StepState;
@group(0) @binding(2) var<storage, read> seeds: array<u32>;
@group(0) @binding(3) var<storage, read> thresholds: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> words: array<vec2<u32>>;

// What one more random bit of every sample decides. `digits` has all bits set where the threshold's digit is 1.
fn decide(open: vec2<u32>, ones: vec2<u32>, digits: vec2<u32>, drawn: u32) -> vec4<u32> {
  let random = vec2<u32>(drawn);
  return vec4<u32>(ones | (open & digits & ~random), open & ~(digits ^ random));
}

// All bits set in each component whose digit `place` is 1.
fn digits_at(threshold: vec2<u32>, place: u32) -> vec2<u32> {
  return vec2<u32>(0u) - extractBits(threshold, place, 1u);
}

@compute @workgroup_size(WG)
fn tree_edges(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = workgroup_index(group, groups) * WG + lane;
  if (item >= params.views * params.trials * params.blocks * params.nodes) {
    return;
  }
  let node = item % params.nodes;
  let block_at = item / params.nodes % params.blocks;
  let trial = item / (params.nodes * params.blocks) % params.trials;
  let view = item / (params.nodes * params.blocks * params.trials);

  var source = view;
  if (node == 0u) {
    if (OPPOSITE) {
      source = 0u;
    } else {
      source = select(view, 0u, view == 1u);
    }
  }
  let key = vec2<u32>(seeds[trial], params.stream);
  let counter = ((source * params.blocks + block_at) * params.nodes + node) * 16u;
  let threshold = thresholds[trial * params.nodes + node];

  // A threshold of 2^30 is above every U.
  var ones = digits_at(threshold, 30u);
  var open = ~ones;
  for (var pair = 0u; pair < 15u; pair++) {
    if ((open.x | open.y) == 0u) {
      break;
    }
    let random = threefry2x32(key, vec2<u32>(state.step, counter + pair));
    let first = decide(open, ones, digits_at(threshold, 29u - 2u * pair), random.x);
    let second = decide(first.zw, first.xy, digits_at(threshold, 28u - 2u * pair), random.y);
    ones = second.xy;
    open = second.zw;
  }
  if (OPPOSITE) {
    ones = select(ones, ~ones, node == 0u && view == 2u);
  }
  words[item] = ones;
}
