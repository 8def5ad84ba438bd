// locally_connected — a linear map for every node of a layer and every trial: nodes see their own inputs only, weights are not shared.
//
//   y[v, t, r, g, o] = w[t, g, o, fan_in] + Σ_i w[t, g, o, i]·u[v, t, r, g, i],   u = max(x, 0) with RELU, else x
//   An invocation keeps the weights of OUT outputs and IN inputs in registers and passes over every parts-th row with them.
//
// Layout    x f32[views, trials, rows, nodes, fan_in] · w f32[trials, nodes, fan_out, fan_in + 1], the last column the bias ·
//           y f32[views, trials, rows, nodes, fan_out]; neighbouring nodes' outputs are the inputs of their parent, without a copy
// Dispatch  ⌈parts/WG⌉·(fan_out/OUT)·views·trials·nodes workgroups, or with FLAT ⌈parts·(fan_out/OUT)·views·trials·nodes/WG⌉; folded into y
// Knobs     WG; IN divides fan_in, OUT divides fan_out; CHUNKED when IN < fan_in: sums wait in y between chunks; RELU;
//           FLAT: a workgroup takes invocations as they come (software); otherwise of one node and trial, so that weights are uniform
// Error     |y − exact| ≤ γ_{fan_in+1}·(|bias| + Σ|w||u|)   (γ_k = k·u/(1−k·u), u = 2⁻²⁴)
// Backward  local/locally_connected_grad.wgsl
// Oracle    test/oracle/local.ts
// Source    weights in registers and rows in a loop: software adapters load a weight once, GPUs (parts = rows) as a scalar
//#include "lib/index.wgsl"
override WG: u32 = 64u;
const IN: u32 = 4u; //#knob
const OUT: u32 = 2u; //#knob
const CHUNKED: bool = false; //#knob
const RELU: bool = false; //#knob
const FLAT: bool = false; //#knob
struct Params { views: u32, trials: u32, rows: u32, nodes: u32, fan_in: u32, fan_out: u32, parts: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn locally_connected(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = params.fan_out / OUT;
  var rest = workgroup_index(group, groups);
  var part = 0u;
  if (FLAT) {
    let item = rest * WG + lane;
    part = item % params.parts;
    rest = item / params.parts;
  } else {
    let strips = (params.parts + WG - 1u) / WG;
    part = rest % strips * WG + lane;
    rest = rest / strips;
  }
  let first = rest % tiles * OUT;
  rest = rest / tiles;
  let node = rest % params.nodes;
  rest = rest / params.nodes;
  let trial = rest % params.trials;
  let view = rest / params.trials;
  if (view >= params.views || part >= params.parts) {
    return;
  }
  let stride = params.fan_in + 1u;
  let w_base = ((trial * params.nodes + node) * params.fan_out + first) * stride;
  let row_base = (view * params.trials + trial) * params.rows;

  var bias: array<f32, OUT>;
  for (var o = 0u; o < OUT; o++) { //#unroll
    bias[o] = w[w_base + o * stride + params.fan_in];
  }
  for (var chunk = 0u; chunk < params.fan_in; chunk += IN) {
    var weights: array<f32, IN * OUT>;
    for (var o = 0u; o < OUT; o++) { //#unroll
      for (var i = 0u; i < IN; i++) { //#unroll
        weights[o * IN + i] = w[w_base + o * stride + chunk + i];
      }
    }
    for (var row = part; row < params.rows; row += params.parts) {
      let at = (row_base + row) * params.nodes + node;
      let x_base = at * params.fan_in + chunk;
      let y_base = at * params.fan_out + first;
      var inputs: array<f32, IN>;
      for (var i = 0u; i < IN; i++) { //#unroll
        if (RELU) {
          inputs[i] = max(x[x_base + i], 0.0);
        } else {
          inputs[i] = x[x_base + i];
        }
      }
      for (var o = 0u; o < OUT; o++) { //#unroll
        var sum = bias[o];
        if (CHUNKED) {
          if (chunk > 0u) {
            sum = y[y_base + o];
          }
        }
        for (var i = 0u; i < IN; i++) { //#unroll
          sum += weights[o * IN + i] * inputs[i];
        }
        y[y_base + o] = sum;
      }
    }
  }
}
