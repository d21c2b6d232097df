// The forward pass in the browser: pixels to hidden activations, latents and class probabilities. Pure functions.
// A matrix is a flat array, one row an input.

/** x @ w + b; inputs of 0, of which images and ReLU layers have many, cost nothing. */
export function affine(x, w, b) {
  const sum = Float64Array.from(b);
  for (let i = 0; i < x.length; i++) {
    const value = x[i];
    if (!value) continue;
    const row = i * b.length;
    for (let j = 0; j < b.length; j++) sum[j] += value * w[row + j];
  }
  return sum;
}

/** What is above 0; the rest becomes 0. */
export function relu(values) {
  return values.map((value) => Math.max(0, value));
}

/** Shares that add up to 1. */
export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** The hidden layer's activations on an image of pixels in [0, 1]. */
export function hiddenLayer(mlp, pixels) {
  return relu(affine(pixels, mlp.wIn, mlp.bIn));
}

/** The class probabilities of hidden activations. */
export function probabilities(mlp, hidden) {
  return softmax(affine(hidden, mlp.wOut, mlp.bOut));
}

/** The activations of a view's units: the latents of its encoder, or the hidden neurons themselves. */
export function unitActivations(view, hidden) {
  return view.encoder ? relu(affine(hidden, view.encoder.w, view.encoder.b)) : hidden;
}
