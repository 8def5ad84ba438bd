// batch_contrast — per trial, a contrastive loss of mean squared distances over a whole batch of triplets.
//
//   r₊ = mean over batch and dimensions of (a − p)², r₋ of (a − n)²;  s = r₊ − r₋
//   SIGMOID  loss = −1/(1 + e^{s/τ}), slope = ∂loss/∂s = (1/τ)·σ(1 − σ), σ = 1/(1 + e^{s/τ})
//   else     loss = s, slope = 1
//
// Layout    z f32[3, trials, count], count = batch·dimensions: anchors, positives, negatives · losses, slopes f32[trials]
// Dispatch  (trials, 1, 1); one workgroup a trial
// Knobs     WG = LANES a power of two, SIGMOID
// Error     s: γ_k·(r₊ + r₋), k = ⌈count/WG⌉ + log2 WG + 4; loss and slope: that times inverse_temperature, plus γ_8
//           (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  ssl/batch_contrast_grad.wgsl
// Oracle    test/oracle/sslKernels.ts
// Source    luckmatters/ssl/hltm (Tian et al. 2020): losses "nce" (no logarithm, r of the whole batch) and "subtract"
//#include "lib/math.wgsl"
override WG: u32 = 64u;
override LANES: u32 = 64u;
const SIGMOID: bool = true; //#knob
struct Params { trials: u32, count: u32, inverse_temperature: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> slopes: array<f32>;

//#include "lib/row_sum.wgsl"

@compute @workgroup_size(WG)
fn batch_contrast(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let trial = group.x;
  let anchors = trial * params.count;
  let positives = (params.trials + trial) * params.count;
  let negatives = (2u * params.trials + trial) * params.count;
  var squares = vec4<f32>(0.0);
  for (var at = lane; at < params.count; at += WG) {
    let a = z[anchors + at];
    let near = a - z[positives + at];
    let far = a - z[negatives + at];
    squares += vec4<f32>(near * near, far * far, 0.0, 0.0);
  }
  let total = row_sum(squares, lane);
  if (lane == 0u) {
    let difference = (total.x - total.y) / f32(params.count);
    if (SIGMOID) {
      // Of the two forms of the logistic function the one whose exponential does not overflow.
      let x = difference * params.inverse_temperature;
      let e = exponential(-abs(x));
      let larger = 1.0 / (1.0 + e);
      let smaller = e / (1.0 + e);
      losses[trial] = -select(larger, smaller, x > 0.0);
      slopes[trial] = params.inverse_temperature * larger * smaller;
    } else {
      losses[trial] = difference;
      slopes[trial] = 1.0;
    }
  }
}
