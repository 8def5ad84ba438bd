// optimizer_factors — the numbers of one update: the scheduled learning rate, and for every segment what scales gradient and weight.
//
//   SCHEDULE 0 (constant): rate = the step state's. Otherwise, with e = interval·⌊step/interval⌋, written to the step state:
//     e < warmup: start + (peak − start)·e/warmup;  after it
//     1 (cosine): end + (peak − end)·(1 + cos(π·min(1, (e − warmup)/(total − warmup))))/2
//     2 (step): peak·gamma^⌊(e − warmup)/every⌋
//   rate_s = rate_factor_s·rate + fixed_rate_s;  clip = min(1, max_norm/(‖g‖ + 1e-6)) with CLIP, else 1
//   RULE 0 (SGD): factors[s] = (clip, decay_s, rate_s, 0)
//   RULE 1 … 3 (LARS), by name in src/optim/lars.ts: factors[s] = (q, q·decay_s, rate_s, 0), q the trust ratio
//     1: q = eta‖p‖/‖g + decay·p‖, 1 when a norm is 0 or the segment does not adapt
//     2: q = eta‖p‖/(‖g‖ + decay‖p‖ + 1e-8); a norm of 0: q = 1 and no decay; not adapting: q = 1
//     3: as 2, min(q/rate_s, 1)
//   RULE 4 (Adam, t = step + 1): factors[s] = (clip, decay_s or with DECOUPLED rate_s·decay_s, rate_s/(1 − beta1^t), 1/√(1 − beta2^t))
//
// Layout    segments OptimizerSegment[segments] · partials vec2[chunks] of segment_norms · factors vec4[segments]
// Dispatch  (1, 1, 1); one workgroup, its lanes stride over segments
// Knobs     WG power of two · SCHEDULE · RULE · CLIP · DECOUPLED
// Error     rate within 8u·peak (the cosine's 2u, halved); norms as their partials plus γ_k, k = chunks of the segment; 1 − beta^t within
//           8u relative
// Backward  not differentiated
// Oracle    test/oracle/optimisers.ts
// Source    Loshchilov & Hutter 2017 (cosine); You et al. 2017 (LARS); Kingma & Ba 2015; Pascanu et al. 2013 (clipping)
//#include "lib/exponential.wgsl"
//#include "lib/math.wgsl"
//#include "lib/reduce.wgsl"
//#include "lib/step_state.wgsl"
//#include "lib/optimizer_segment.wgsl"
override WG: u32 = 64u;
const SCHEDULE: u32 = 0u; //#knob
const RULE: u32 = 0u; //#knob
const CLIP: bool = false; //#knob
const DECOUPLED: bool = true; //#knob
struct Params {
  segments: u32,
  peak: f32, start: f32, end: f32, warmup: u32, total: u32, every: u32, interval: u32, log_gamma: f32,
  max_norm: f32, eta: f32, log_beta1: f32, log_beta2: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> segments: array<OptimizerSegment>;
@group(0) @binding(2) var<storage, read> partials: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> state: StepState;
@group(0) @binding(4) var<storage, read_write> factors: array<vec4<f32>>;

fn scheduled_rate() -> f32 {
  let step = params.interval * (state.step / params.interval);
  if (step < params.warmup) {
    return params.start + (params.peak - params.start) * (f32(step) / f32(params.warmup));
  }
  let after = step - params.warmup;
  if (SCHEDULE == 2u) {
    return params.peak + params.peak * exp_minus_one(f32(after / params.every) * params.log_gamma);
  } else {
    let progress = min(1.0, f32(after) / max(1.0, f32(params.total - params.warmup)));
    return params.end + (params.peak - params.end) * (0.5 + 0.5 * cos_sin_turns(0.5 * progress).x);
  }
}

// (Σ p², Σ g²) of a segment.
fn squared_norms(segment: OptimizerSegment) -> vec2<f32> {
  var sums = vec2<f32>();
  for (var chunk = 0u; chunk < segment.chunk_count; chunk++) {
    sums += partials[segment.first_chunk + chunk];
  }
  return sums;
}

@compute @workgroup_size(WG)
fn optimizer_factors(@builtin(local_invocation_index) lane: u32) {
  var rate = state.learning_rate;
  if (SCHEDULE != 0u) {
    rate = scheduled_rate();
    // The first lane writes the rate, which no lane has read in this case.
    if (lane == 0u) {
      state.learning_rate = rate;
    }
  }
  var clip = 1.0;
  if (CLIP) {
    var part = 0.0;
    for (var s = lane; s < params.segments; s += WG) {
      part += squared_norms(segments[s]).y;
    }
    clip = min(1.0, params.max_norm / (sqrt(workgroup_sum(part, lane)) + 1e-6));
  }
  for (var s = lane; s < params.segments; s += WG) {
    let segment = segments[s];
    let segment_rate = segment.rate_factor * rate + segment.fixed_rate;
    var factor = vec4<f32>(clip, segment.weight_decay, segment_rate, 0.0);
    if (RULE == 4u) {
      let count = f32(state.step + 1u);
      let step_size = segment_rate / -exp_minus_one(count * params.log_beta1);
      let decay = select(segment.weight_decay, segment_rate * segment.weight_decay, DECOUPLED);
      factor = vec4<f32>(clip, decay, step_size, 1.0 / sqrt(-exp_minus_one(count * params.log_beta2)));
    }
    if (RULE >= 1u && RULE <= 3u) {
      let norms = sqrt(squared_norms(segment));
      let has_norms = norms.x > 0.0 && norms.y > 0.0;
      var trust = params.eta * norms.x / norms.y;
      if (RULE != 1u) {
        trust = params.eta * norms.x / (norms.y + segment.weight_decay * norms.x + 1e-8);
      }
      if (RULE == 3u) {
        trust = min(trust / segment_rate, 1.0);
      }
      let scale = select(1.0, trust, has_norms && segment.adapts == 1u);
      let decays = RULE == 1u || has_norms || segment.adapts == 0u;
      factor = vec4<f32>(scale, select(0.0, scale * segment.weight_decay, decays), segment_rate, 0.0);
    }
    factors[s] = factor;
  }
}
