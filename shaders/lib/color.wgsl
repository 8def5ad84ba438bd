// Colour operations on RGB in [0, 1], by the definitions of torchvision.transforms.functional on float tensors.

// Luma of ITU-R BT.601, with torchvision's digits.
fn luma(color: vec3<f32>) -> f32 {
  return 0.2989 * color.x + 0.587 * color.y + 0.114 * color.z;
}

// factor·color + (1 − factor)·other, clamped to [0, 1].
fn blend(color: vec3<f32>, other: f32, factor: f32) -> vec3<f32> {
  return clamp(factor * color + vec3<f32>((1.0 - factor) * other), vec3<f32>(), vec3<f32>(1.0));
}

// Turns the hue by `shift` turns; value and chroma stay. Through HSV, with the closed form
// v − chroma·max(0, min(k, 4 − k, 1)), k = (n + 6·hue) mod 6, n = 5, 3, 1, in place of HSV's six cases.
fn shift_hue(color: vec3<f32>, shift: f32) -> vec3<f32> {
  let value = max(color.x, max(color.y, color.z));
  let chroma = value - min(color.x, min(color.y, color.z));
  let divisor = select(chroma, 1.0, chroma == 0.0);
  // Sixths of a turn.
  var hue = 4.0 + (color.x - color.y) / divisor;
  if (color.y == value) {
    hue = 2.0 + (color.z - color.x) / divisor;
  }
  if (color.x == value) {
    hue = (color.y - color.z) / divisor;
  }
  let k = vec3<f32>(5.0, 3.0, 1.0) + (hue + 6.0 * shift);
  let turned = k - 6.0 * floor(k / 6.0);
  let ramp = clamp(min(turned, 4.0 - turned), vec3<f32>(), vec3<f32>(1.0));
  return clamp(vec3<f32>(value) - chroma * ramp, vec3<f32>(), vec3<f32>(1.0));
}
