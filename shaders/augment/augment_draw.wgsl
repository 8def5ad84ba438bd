// augment_draw — draws the augmentation of every (view, image) of a batch: the numbers that augment_image and gaussian_blur apply.
//
//   bits = threefry(key = (seed, stream + 2⁸·pair), counter = (image, 2·step + view)),  image = indices[i]
//   crop, INTEGER: area·U(scale), aspect exp(U(ln ratio)), sides rounded, uniform integer corner; up to 10 attempts to fit, then the
//     largest central crop of an admissible aspect (torchvision's RandomResizedCrop)
//   crop, otherwise: sides √(area·U(scale)·aspect^±1), at most the image's, corner uniform and real; one attempt
//   with probability jitter_p: factors U(max(0, 1 − j), 1 + j), hue U(−h, h), and RANDOM_ORDER a uniform order of the four operations
//   flip, grayscale, blur and solarisation each by their own probability; blur with σ uniform, weights exp(−k²/2σ²), normalised
//
// Layout    views 1 or 2; fields …_a are of view 0, …_b of view 1 · indices u32[images] · draws f32[views, images, record], a record as
//           in lib/augment_record.wgsl, 16 + (radius + 1) weights, rounded up to a multiple of 4 · crop areas relative, ratio as ln
// Dispatch  ⌈views·images/WG⌉ workgroups, folded into y
// Knobs     WG workgroup size · INTEGER crop sides and corners in whole pixels · RANDOM_ORDER
// Error     integers exact, but a crop's side may round the other way where √(…) is within 8u of a half; real sides and corners within
//           8u relative of the image's side; factors one rounding; weights within 16u of their largest
// Backward  not differentiated
// Oracle    test/oracle/augment.ts
// Source    torchvision's transforms.RandomResizedCrop, ColorJitter, GaussianBlur; Chen et al. 2020 (SimCLR); Grill et al. 2020
//#include "lib/index.wgsl"
//#include "lib/random.wgsl"
//#include "lib/exponential.wgsl"
//#include "lib/step_state.wgsl"
//#include "lib/augment_record.wgsl"
override WG: u32 = 16u;
const INTEGER: bool = true; //#knob
const RANDOM_ORDER: bool = true; //#knob
struct Params {
  views: u32, images: u32, record: u32, radius: u32,
  height: u32, width: u32, seed: u32, stream: u32,
  scale_low_a: f32, scale_high_a: f32, ratio_low_a: f32, ratio_high_a: f32,
  flip_a: f32, jitter_a: f32, gray_a: f32, blur_a: f32,
  brightness_a: f32, contrast_a: f32, saturation_a: f32, hue_a: f32,
  sigma_low_a: f32, sigma_high_a: f32, solarize_a: f32, threshold_a: f32,
  scale_low_b: f32, scale_high_b: f32, ratio_low_b: f32, ratio_high_b: f32,
  flip_b: f32, jitter_b: f32, gray_b: f32, blur_b: f32,
  brightness_b: f32, contrast_b: f32, saturation_b: f32, hue_b: f32,
  sigma_low_b: f32, sigma_high_b: f32, solarize_b: f32, threshold_b: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: StepState;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> draws: array<f32>;

const ATTEMPTS: u32 = 10u;
// Pairs of words: two for every attempt at a crop, then one for every line of the body.
const PAIR_FLIP: u32 = 20u;
const PAIR_BRIGHTNESS: u32 = 21u;
const PAIR_SATURATION: u32 = 22u;
const PAIR_ORDER: u32 = 23u;
const PAIR_BLUR: u32 = 24u;
const PAIR_SOLARIZE: u32 = 25u;

// Low and high ends: area and ln aspect.
struct CropRange { low: vec2<f32>, high: vec2<f32> }
struct Crop { corner: vec2<f32>, size: vec2<f32> }

fn words(counter: vec2<u32>, pair: u32) -> vec2<u32> {
  return threefry2x32(vec2<u32>(params.seed, params.stream + (pair << 8u)), counter);
}

fn uniforms(counter: vec2<u32>, pair: u32) -> vec2<f32> {
  let bits = words(counter, pair);
  return vec2<f32>(uniform01(bits.x), uniform01(bits.y));
}

// Sides (height, width) of a crop before rounding.
fn crop_size(counter: vec2<u32>, pair: u32, range: CropRange) -> vec2<f32> {
  let drawn = range.low + uniforms(counter, pair) * (range.high - range.low);
  let area = f32(params.height) * f32(params.width) * drawn.x;
  return sqrt(vec2<f32>(area + area * exp_minus_one(-drawn.y), area + area * exp_minus_one(drawn.y)));
}

// The largest central crop whose aspect is admissible.
fn central_crop(range: CropRange) -> Crop {
  let image = vec2<f32>(f32(params.height), f32(params.width));
  var size = image;
  let narrowest = 1.0 + exp_minus_one(range.low.y);
  let widest = 1.0 + exp_minus_one(range.high.y);
  if (image.y < narrowest * image.x) {
    size.x = round(image.y / narrowest);
  } else if (image.y > widest * image.x) {
    size.y = round(image.x * widest);
  }
  return Crop(floor(0.5 * (image - size)), size);
}

fn draw_crop(counter: vec2<u32>, range: CropRange) -> Crop {
  let image = vec2<f32>(f32(params.height), f32(params.width));
  if (INTEGER) {
    for (var attempt = 0u; attempt < ATTEMPTS; attempt++) {
      let size = round(crop_size(counter, 2u * attempt, range));
      if (all(size >= vec2<f32>(1.0)) && all(size <= image)) {
        let bits = words(counter, 2u * attempt + 1u);
        let top = multiply_high(bits.x, params.height - u32(size.x) + 1u);
        let left = multiply_high(bits.y, params.width - u32(size.y) + 1u);
        return Crop(vec2<f32>(f32(top), f32(left)), size);
      }
    }
    return central_crop(range);
  } else {
    let size = min(crop_size(counter, 0u, range), image);
    return Crop(uniforms(counter, 1u) * (image - size), size);
  }
}

// One of the 24 orders of the codes 0 … 3, two bits each.
fn draw_order(bits: u32) -> u32 {
  let which = multiply_high(bits, 24u);
  var left = 0xe4u;
  var order = 0u;
  var rest = which;
  for (var place = 0u; place < 4u; place++) {
    let choices = 4u - place;
    let shift = 2u * (rest % choices);
    rest = rest / choices;
    order |= ((left >> shift) & 3u) << (2u * place);
    left = (left & ((1u << shift) - 1u)) | ((left >> (shift + 2u)) << shift);
  }
  return order;
}

// A factor uniform on [max(0, 1 − strength), 1 + strength].
fn factor(u: f32, strength: f32) -> f32 {
  let low = max(0.0, 1.0 - strength);
  return low + u * (1.0 + strength - low);
}

fn choose(view: u32, a: f32, b: f32) -> f32 {
  return select(b, a, view == 0u);
}

@compute @workgroup_size(WG)
fn augment_draw(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = workgroup_index(group, groups) * WG + lane;
  if (item >= params.views * params.images) {
    return;
  }
  let view = item / params.images;
  let counter = vec2<u32>(indices[item % params.images], 2u * state.step + view);
  let at = item * params.record;

  let range = CropRange(
    vec2<f32>(choose(view, params.scale_low_a, params.scale_low_b), choose(view, params.ratio_low_a, params.ratio_low_b)),
    vec2<f32>(choose(view, params.scale_high_a, params.scale_high_b), choose(view, params.ratio_high_a, params.ratio_high_b)),
  );
  let crop = draw_crop(counter, range);
  draws[at + DRAW_TOP] = crop.corner.x;
  draws[at + DRAW_LEFT] = crop.corner.y;
  draws[at + DRAW_HEIGHT] = crop.size.x;
  draws[at + DRAW_WIDTH] = crop.size.y;

  let flip = uniforms(counter, PAIR_FLIP);
  let is_jittered = flip.y < choose(view, params.jitter_a, params.jitter_b);
  draws[at + DRAW_FLIP] = select(0.0, 1.0, flip.x < choose(view, params.flip_a, params.flip_b));
  draws[at + DRAW_JITTER] = select(0.0, 1.0, is_jittered);
  let light = uniforms(counter, PAIR_BRIGHTNESS);
  let tint = uniforms(counter, PAIR_SATURATION);
  let hue = choose(view, params.hue_a, params.hue_b) * (2.0 * tint.y - 1.0);
  let brightness = factor(light.x, choose(view, params.brightness_a, params.brightness_b));
  let contrast = factor(light.y, choose(view, params.contrast_a, params.contrast_b));
  let saturation = factor(tint.x, choose(view, params.saturation_a, params.saturation_b));
  draws[at + DRAW_BRIGHTNESS] = select(1.0, brightness, is_jittered);
  draws[at + DRAW_CONTRAST] = select(1.0, contrast, is_jittered);
  draws[at + DRAW_SATURATION] = select(1.0, saturation, is_jittered);
  draws[at + DRAW_HUE] = select(0.0, hue, is_jittered);

  let order = words(counter, PAIR_ORDER);
  draws[at + DRAW_ORDER] = f32(select(0xe4u, draw_order(order.x), RANDOM_ORDER));
  draws[at + DRAW_GRAY] = select(0.0, 1.0, uniform01(order.y) < choose(view, params.gray_a, params.gray_b));

  let blur = uniforms(counter, PAIR_BLUR);
  let is_blurred = blur.x < choose(view, params.blur_a, params.blur_b);
  let sigma_low = choose(view, params.sigma_low_a, params.sigma_low_b);
  let sigma = sigma_low + blur.y * (choose(view, params.sigma_high_a, params.sigma_high_b) - sigma_low);
  let taps = select(0u, params.radius, is_blurred);
  draws[at + DRAW_SIGMA] = select(0.0, sigma, is_blurred);
  draws[at + DRAW_TAPS] = f32(taps);
  let solarize = uniforms(counter, PAIR_SOLARIZE).x < choose(view, params.solarize_a, params.solarize_b);
  draws[at + DRAW_SOLARIZE] = select(2.0, choose(view, params.threshold_a, params.threshold_b), solarize);
  draws[at + DRAW_SOLARIZE + 1u] = 0.0;

  // Not blurred: one weight, 1.
  var total = 1.0;
  for (var k = 1u; k <= taps; k++) {
    let distance = f32(k) / sigma;
    total += 2.0 + 2.0 * exp_minus_one(-0.5 * distance * distance);
  }
  for (var k = 0u; k < params.record - DRAW_WEIGHTS; k++) {
    let distance = f32(k) / max(sigma, 1e-6);
    let weight = (1.0 + exp_minus_one(-0.5 * distance * distance)) / total;
    draws[at + DRAW_WEIGHTS + k] = select(0.0, weight, k <= taps);
  }
}
