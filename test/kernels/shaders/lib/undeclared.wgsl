// A function with a mistake on line 4, which reflection does not see and the device's compiler does.
fn twice(x: f32) -> f32 {
  let factor = 2.0;
  return facter * x;
}
