/** jax-js: the training step as one `jit` of `valueAndGrad` and a momentum update written by hand, the loss read after each step. */
import { blockUntilReady, type Array as JaxArray, jit, lax, nn, numpy, tree, valueAndGrad } from "@jax-js/jax";
import type { PreparedStep, StepWork } from "../../src/cli/bench/peerContract.ts";

// A type, not an interface: jax-js maps over objects with index signatures.
type Parameters = {
  /** By name: a filter with the scale and shift of the BatchNorm that follows it. */
  layers: Record<string, { filter: JaxArray; scale: JaxArray; shift: JaxArray }>;
  head: JaxArray;
};

const PIXELS = [0, 2, 3];
const KEEP = { keepdims: true };

export async function prepareStep(work: StepWork): Promise<PreparedStep> {
  const { batch, side, learningRate, momentum } = work;
  const images = onDevice(work.images, [batch, 3, side, side]);
  let parameters = initialParameters(work);
  let velocity: Parameters = tree.map((p: JaxArray) => numpy.zerosLike(p.ref), parameters);
  await blockUntilReady([images, parameters, velocity]);
  const compiled = jit((p: Parameters, v: Parameters, x: JaxArray): [JaxArray, Parameters, Parameters] => {
    const [loss, gradient] = valueAndGrad((q: Parameters) => lossOf(work, q, x))(tree.ref(p)) as [JaxArray, Parameters];
    const nextVelocity = tree.map((a: JaxArray, g: JaxArray) => a.mul(momentum).add(g), v, gradient);
    const next = tree.map((a: JaxArray, b: JaxArray) => a.sub(b.mul(learningRate)), p, tree.ref(nextVelocity));
    return [loss, next, nextVelocity];
  });
  return {
    async run(steps, onLoss, signal) {
      for (let step = 0; step < steps && !signal.aborted; step++) {
        const [loss, next, nextVelocity] = compiled(parameters, velocity, images.ref);
        [parameters, velocity] = [next, nextVelocity];
        const [value = Number.NaN] = await loss.data();
        onLoss(Number(value));
      }
      await blockUntilReady(parameters);
    },
    release() {
      tree.dispose([parameters, velocity, images]);
      compiled.dispose();
    },
  };
}

function initialParameters({ filters, head }: StepWork): Parameters {
  const layers: Parameters["layers"] = {};
  for (const { name, values, outChannels, inChannels, kernel } of filters) {
    layers[name] = {
      filter: onDevice(values, [outChannels, inChannels, kernel, kernel]),
      scale: numpy.ones([outChannels]),
      shift: numpy.zeros([outChannels]),
    };
  }
  const features = Math.sqrt(head.length);
  return { layers, head: onDevice(head, [features, features]) };
}

function onDevice(values: Float32Array, shape: number[]): JaxArray {
  return numpy.array(Float32Array.from(values)).reshape(shape);
}

function lossOf({ batch, blocks, temperature }: StepWork, { layers, head }: Parameters, images: JaxArray): JaxArray {
  const layer = (x: JaxArray, name: string, stride: number): JaxArray => {
    const own = layers[name];
    if (!own) throw new Error(`no layer ${name}`);
    const [, , kernel = 1] = own.filter.shape;
    const border: [number, number] = [(kernel - 1) / 2, (kernel - 1) / 2];
    const y = lax.convGeneralDilated(x, own.filter, [stride, stride], [border, border]);
    return batchNorm(y, own.scale, own.shift);
  };
  let y = nn.relu(layer(images, "conv1", 1));
  for (const { name, stride } of blocks) {
    const shortcut = `${name}.downsample.0` in layers ? layer(y.ref, `${name}.downsample.0`, stride) : y.ref;
    const hidden = nn.relu(layer(y, `${name}.conv1`, stride));
    y = nn.relu(layer(hidden, `${name}.conv2`, 1).add(shortcut));
  }
  const z = numpy.matmul(numpy.mean(y, [2, 3]), head);
  const length = numpy.sqrt(z.ref.mul(z.ref).sum(1, KEEP).add(1e-8));
  const unit = z.div(length);
  const a = unit.ref.slice([0, batch / 2]);
  const b = unit.slice([batch / 2, batch]);
  const similarities = numpy.matmul(a.ref, b.ref.transpose()).mul(1 / temperature);
  const positives = a
    .mul(b)
    .sum(1)
    .mul(1 / temperature);
  return numpy.mean(nn.logsumexp(similarities, 1).sub(positives));
}

/** Over the batch, [N, C, H, W]. */
function batchNorm(x: JaxArray, scale: JaxArray, shift: JaxArray): JaxArray {
  const perChannel = [1, -1, 1, 1];
  const centred = x.ref.sub(numpy.mean(x, PIXELS, KEEP));
  const variance = numpy.mean(numpy.square(centred.ref), PIXELS, KEEP);
  return centred
    .div(numpy.sqrt(variance.add(1e-5)))
    .mul(scale.reshape(perChannel))
    .add(shift.reshape(perChannel));
}
