// A function without mistakes.
fn once(x: f32) -> f32 {
  return x;
}
