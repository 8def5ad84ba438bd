// tree_values — values of a latent tree's nodes from what each becomes under either value of its parent.
//
//   z_0 = words[0, 0];  z_n = words[n, z_parent]: the maps are composed from node n up to the root, each 32 samples at once
//   leaves: one number 0 or 1 for each sample; LATENTS: the nodes above them too, as words
//
// Layout    words vec2<u32>[views, trials, blocks, nodes] · leaves f32[views, trials, rows, leaves] · latents u32[views, trials, blocks,
//           nodes − leaves]; sample r is bit r mod 32 of block ⌊r/32⌋; children of n are branching·n + 1 …
// Dispatch  ⌈views·trials·blocks·count/WG⌉ workgroups, folded into y; count = leaves, or nodes with LATENTS
// Knobs     WG workgroup size, LATENTS
// Error     exact
// Backward  not differentiated
// Oracle    test/oracle/hltm.ts
// Source    Tian et al. 2020 (arXiv 2010.00578v6), hierarchical latent tree model; leaves as raw 0/1 numbers as in luckmatters/ssl/hltm
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const LATENTS: bool = false; //#knob
struct Params { views: u32, trials: u32, rows: u32, blocks: u32, nodes: u32, leaves: u32, branching: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> words: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> leaves: array<f32>;
@group(0) @binding(3) var<storage, read_write> latents: array<u32>;

@compute @workgroup_size(WG)
fn tree_values(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let internal = params.nodes - params.leaves;
  let count = select(params.leaves, params.nodes, LATENTS);
  let item = workgroup_index(group, groups) * WG + lane;
  if (item >= params.views * params.trials * params.blocks * count) {
    return;
  }
  let node = item % count + params.nodes - count;
  let strip = item / count;
  let block_at = strip % params.blocks;

  let base = strip * params.nodes;
  var map = words[base + node];
  var at = node;
  while (at > 0u) {
    at = (at - 1u) / params.branching;
    let above = words[base + at];
    map = (above & vec2<u32>(map.y)) | (~above & vec2<u32>(map.x));
  }
  // The root's map does not depend on a parent: both components are the value.
  if (node < internal) {
    latents[strip * internal + node] = map.x;
    return;
  }
  let rows = min(32u, params.rows - 32u * block_at);
  let row0 = strip / params.blocks * params.rows + 32u * block_at;
  for (var sample = 0u; sample < rows; sample++) {
    leaves[(row0 + sample) * params.leaves + node - internal] = f32((map.x >> sample) & 1u);
  }
}
