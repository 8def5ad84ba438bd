// augment_image — crops, resizes, flips and recolours u8 images by given draws: the views of a training step, NHWC with 4 channels.
//
//   x = crop resized to [h, w]: source coordinate = corner + (place + ½)·side/h − ½ (align_corners = false), no antialiasing;
//     TAPS 4: Keys' kernel with coefficient cubic_a, clamped to [0, 1]; otherwise bilinear; SAMPLES² points averaged for each pixel;
//     INTEGER: taps clamped to the crop, as if it had been cut out first; otherwise to the image
//   flipped left to right; then brightness b·x, contrast c·x + (1 − c)·mean luma of the image so far, saturation s·x + (1 − s)·luma and
//     hue in the drawn order, each clamped to [0, 1]; then grayscale
//   FINISH: solarised (x ≥ threshold → 1 − x), then (x − mean)·inverse_std by channel; otherwise left to gaussian_blur
//
// Layout    pixels u8 packed four to a u32, little end first, any strides (in bytes; channel_stride 0 repeats a gray channel) ·
//           indices u32[images] · draws f32[views, images, record] of augment_draw · y vec4[views·images, h, w], fourth channel 0
// Dispatch  views·images workgroups, folded into y; one workgroup an image
// Knobs     WG power of two · TAPS per axis, 2 bilinear, 4 cubic · SAMPLES per axis · INTEGER · JITTER false where no view changes colours ·
//           HUE · FINISH · PACKED: channels are the bytes 0, 1, 2 of a u32 per pixel (one load in place of three)
// Error     on [0, 1], s the source's side: u·s/2 bilinear, u·s bicubic, four times that once recoloured (0.35, 0.75, 2.9 measured)
// Backward  not differentiated
// Oracle    test/oracle/augment.ts
// Source    torchvision's transforms.functional on float tensors (resized_crop with antialias=False, adjust_*); Keys 1981
//#include "lib/index.wgsl"
//#include "lib/reduce.wgsl"
//#include "lib/color.wgsl"
//#include "lib/augment_record.wgsl"
override WG: u32 = 64u;
const TAPS: u32 = 2u; //#knob
const SAMPLES: u32 = 1u; //#knob
const INTEGER: bool = true; //#knob
const JITTER: bool = true; //#knob
const HUE: bool = true; //#knob
const FINISH: bool = true; //#knob
const PACKED: bool = false; //#knob
const POINTS: u32 = SAMPLES * SAMPLES;
struct Params {
  views: u32, images: u32, record: u32,
  height: u32, width: u32, out_height: u32, out_width: u32,
  image_stride: u32, channel_stride: u32, row_stride: u32, column_stride: u32, pixels_offset: u32,
  cubic_a: f32,
  mean_r: f32, mean_g: f32, mean_b: f32,
  inverse_std_r: f32, inverse_std_g: f32, inverse_std_b: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> draws: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

struct Crop { corner: vec2<f32>, size: vec2<f32>, first_byte: u32, flip: f32 }
struct Jitter { brightness: f32, contrast: f32, saturation: f32, hue: f32, order: u32 }

fn load_byte(at: u32) -> f32 {
  return f32((pixels[at / 4u] >> (8u * (at % 4u))) & 0xffu);
}

// The three channels of the pixel whose first byte is `at`.
fn load_color(at: u32) -> vec3<f32> {
  if (PACKED) {
    let word = pixels[at / 4u];
    return vec3<f32>(vec3<u32>(word & 0xffu, (word >> 8u) & 0xffu, (word >> 16u) & 0xffu));
  } else {
    return vec3<f32>(load_byte(at), load_byte(at + params.channel_stride), load_byte(at + 2u * params.channel_stride));
  }
}

// Weight of a source pixel `distance` away.
fn tap_weight(distance: f32) -> f32 {
  let d = abs(distance);
  if (TAPS == 4u) {
    let a = params.cubic_a;
    let near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
    let far = a * (((d - 5.0) * d + 8.0) * d - 4.0);
    return select(select(0.0, far, d < 2.0), near, d <= 1.0);
  } else {
    return max(0.0, 1.0 - d);
  }
}

fn cropped(row: u32, column: u32, crop: Crop) -> vec3<f32> {
  let place = vec2<f32>(f32(row), f32(select(column, params.out_width - 1u - column, crop.flip != 0.0)));
  let scale = crop.size / vec2<f32>(f32(params.out_height), f32(params.out_width));
  // Integer crops are sampled in their own coordinates, which keeps the fraction exact to more digits.
  let origin = select(crop.corner, vec2<f32>(), INTEGER);
  let image = vec2<i32>(i32(params.height), i32(params.width));
  let last = select(image, vec2<i32>(crop.size), INTEGER) - vec2<i32>(1);
  let shift = select(vec2<i32>(), vec2<i32>(crop.corner), INTEGER);
  var color = vec3<f32>();
  for (var sample = 0u; sample < POINTS; sample++) { //#unroll
    let inside = (vec2<f32>(f32(sample / SAMPLES), f32(sample % SAMPLES)) + 0.5) * (1.0 / f32(SAMPLES));
    let position = origin + (place + inside) * scale - 0.5;
    let base = floor(position);
    let fraction = position - base;
    // Taps from floor(position) + 1 − TAPS/2 on.
    var weights: array<f32, TAPS>;
    var bytes: array<u32, TAPS>;
    for (var tap = 0u; tap < TAPS; tap++) { //#unroll
      let distance = i32(tap) + 1 - i32(TAPS / 2u);
      weights[tap] = tap_weight(f32(distance) - fraction.y);
      bytes[tap] = u32(clamp(i32(base.y) + distance, 0, last.y) + shift.y) * params.column_stride;
    }
    for (var tap = 0u; tap < TAPS; tap++) { //#unroll
      let distance = i32(tap) + 1 - i32(TAPS / 2u);
      let source_row = u32(clamp(i32(base.x) + distance, 0, last.x) + shift.x);
      let row_byte = crop.first_byte + source_row * params.row_stride;
      var sum = vec3<f32>();
      for (var other = 0u; other < TAPS; other++) { //#unroll
        sum += weights[other] * load_color(row_byte + bytes[other]);
      }
      color += tap_weight(f32(distance) - fraction.x) * sum;
    }
  }
  return clamp(color * (1.0 / (255.0 * f32(POINTS))), vec3<f32>(), vec3<f32>(1.0));
}

// Operations `first` to `end` − 1 of the drawn order; only contrast looks at the mean luma. The bounds are the same for a whole image, and
// a loop is the one branch that software adapters take rather than mask.
fn recolored(color: vec3<f32>, jitter: Jitter, first: u32, end: u32, mean: f32) -> vec3<f32> {
  var result = color;
  for (var k = first; k < end; k++) {
    let operation = (jitter.order >> (2u * k)) & 3u;
    // Three operations blend with a gray: black, the mean, the pixel's own.
    let isolated = select(select(0.0, mean, operation == ADJUST_CONTRAST), luma(result), operation == ADJUST_SATURATION);
    let gray_factor = select(jitter.saturation, jitter.contrast, operation == ADJUST_CONTRAST);
    let blended = blend(result, isolated, select(gray_factor, jitter.brightness, operation == ADJUST_BRIGHTNESS));
    if (HUE) {
      result = select(blended, shift_hue(result, jitter.hue), operation == ADJUST_HUE);
    } else {
      result = select(blended, result, operation == ADJUST_HUE);
    }
  }
  return result;
}

// Place of contrast in an order of four.
fn contrast_place(order: u32) -> u32 {
  var place = 0u;
  for (var k = 0u; k < 4u; k++) {
    place = select(place, k, ((order >> (2u * k)) & 3u) == ADJUST_CONTRAST);
  }
  return place;
}

fn finished(color: vec3<f32>, threshold: f32) -> vec4<f32> {
  if (FINISH) {
    let solarized = select(color, 1.0 - color, color >= vec3<f32>(threshold));
    let mean = vec3<f32>(params.mean_r, params.mean_g, params.mean_b);
    let inverse_std = vec3<f32>(params.inverse_std_r, params.inverse_std_g, params.inverse_std_b);
    return vec4<f32>((solarized - mean) * inverse_std, 0.0);
  } else {
    return vec4<f32>(color, 0.0);
  }
}

@compute @workgroup_size(WG)
fn augment_image(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = workgroup_index(group, groups);
  if (item >= params.views * params.images) {
    return;
  }
  let draw = item * params.record;
  let crop = Crop(
    vec2<f32>(draws[draw + DRAW_TOP], draws[draw + DRAW_LEFT]),
    vec2<f32>(draws[draw + DRAW_HEIGHT], draws[draw + DRAW_WIDTH]),
    params.pixels_offset + indices[item % params.images] * params.image_stride,
    draws[draw + DRAW_FLIP],
  );
  let is_gray = draws[draw + DRAW_GRAY] != 0.0;
  let threshold = draws[draw + DRAW_SOLARIZE];
  let count = params.out_height * params.out_width;
  let first = item * count;
  if (JITTER) {
    let jitter = Jitter(
      draws[draw + DRAW_BRIGHTNESS],
      draws[draw + DRAW_CONTRAST],
      draws[draw + DRAW_SATURATION],
      draws[draw + DRAW_HUE],
      u32(draws[draw + DRAW_ORDER]),
    );
    // No operation at all where the colours stay.
    let end = select(0u, 4u, draws[draw + DRAW_JITTER] != 0.0);
    let middle = min(end, contrast_place(jitter.order));
    var sum = 0.0;
    for (var at = lane; at < count; at += WG) {
      let color = recolored(cropped(at / params.out_width, at % params.out_width, crop), jitter, 0u, middle, 0.0);
      sum += luma(color);
      y[first + at] = vec4<f32>(color, 0.0);
    }
    let mean = workgroup_sum(sum, lane) / f32(count);
    // Every invocation reads what it wrote itself.
    for (var at = lane; at < count; at += WG) {
      let color = recolored(y[first + at].xyz, jitter, middle, end, mean);
      y[first + at] = finished(select(color, vec3<f32>(luma(color)), is_gray), threshold);
    }
  } else {
    for (var at = lane; at < count; at += WG) {
      let color = cropped(at / params.out_width, at % params.out_width, crop);
      y[first + at] = finished(select(color, vec3<f32>(luma(color)), is_gray), threshold);
    }
  }
}
