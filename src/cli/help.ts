/** What `--help` says below the options: what to start with, and examples of each verb. */

export const PROGRAM_HELP = `
Start with:
  eigenstep train linear-mnist            train on MNIST digits that come with eigenstep, about 20 s without a GPU
  eigenstep report runs/NAME              the figures of that run, in one HTML file
  eigenstep serve                         watch it happen in a browser tab
  eigenstep VERB --help                   what a verb takes, with examples`;

export const TRAIN_HELP = `
Examples:
  eigenstep train linear-mnist                              the default run; results below runs/
  eigenstep train linear-cifar --data cifar-10-batches-bin  real CIFAR-10 images
  eigenstep train linear-mnist --set model.initScale=1e-4   smaller initial weights: later, sharper steps
  eigenstep train runs/NAME/config.json                     the same run again
  eigenstep train --resume runs/NAME                        go on where it stopped

A run folder holds config.json, metrics.jsonl (loss and eigenvalues of every recorded step), summary.json and
checkpoint.safetensors. Exit codes: 0 done, 1 error, 2 usage, 3 diverged, 130 interrupted.`;

export const STAIRCASES_HELP = `
Trains SIZE-barlow, SIZE-vicreg and SIZE-simclr, each in a folder of its own below --out, then writes staircases.svg (the
first seed's runs side by side) and staircases.html (all runs) there. Given again, it goes on where it was stopped.

Examples:
  eigenstep staircases tiny --data cifar-10-batches-bin           about a minute a run on a software adapter
  eigenstep staircases small --seeds 3 --data cifar-10-batches-bin
  eigenstep staircases control --seeds 3 --data cifar-10-batches-bin    without a small initial head: no staircase`;

const SOLVE_HELP = `
Each matrix gets a status: ok, nonfinite (NaN or infinity in it) or not-converged; the exit code is 1 unless all are ok.
Residual and orthogonality are measured in float64: from all vectors, or from a sample of them where all would take more
than seconds. With more than 512 values a matrix and without --vectors, the residual is the off-diagonal left on the GPU.
Numbers in f64 are rounded to f32 first, which is noted.`;

export const EIGH_HELP = `
Examples:
  eigenstep eigh kernel.npy                 kernel.values.npy, descending, and a report
  eigenstep eigh kernel.npy --vectors       kernel.vectors.npy, too
  eigenstep eigh stack.npy --json           a batch [..., n, n]; one JSON document

A matrix that is not symmetric is refused; its largest asymmetry is named.
${SOLVE_HELP}`;

export const SVD_HELP = `
Examples:
  eigenstep svd embeddings.npy              embeddings.values.npy, descending, and a report
  eigenstep svd embeddings.npy --vectors    embeddings.left.npy and embeddings.right.npy, too
${SOLVE_HELP}`;

export const EVAL_HELP = `
Features are the encoder's, before the projector, of whole images without augmentation, in inference with the running
statistics of training. The probe "converged" is a logistic regression trained to convergence with an L2 penalty chosen on
held-out training images; "adam" takes 50 epochs of minibatches of 128. The result is also written into the run folder, as
eval.json.`;
