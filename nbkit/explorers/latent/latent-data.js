// The data of the latent explorer as objects, and what follows from them. Pure functions, no page needed.

import { hiddenLayer, unitActivations } from "./forward.js";

export const SIDE = 28; // an image is SIDE x SIDE pixels, row by row
const SIZE = SIDE * SIDE;
const DIGITS = 10;
const UNCLUSTERED = 0xffff;

/** Images, MLP and views out of what latent.py sends. */
export function makeData(about, arrays) {
  const data = {
    labels: arrays.labels,
    numbers: arrays.numbers,
    picks: Array.from({ length: DIGITS }, (_, digit) => [...arrays.picks].filter((i) => arrays.labels[i] === digit)),
    mlp: { wIn: arrays.w_in, bIn: arrays.b_in, wOut: arrays.w_out, bOut: arrays.b_out },
    /** The pixels of image i, in [0, 1]. */
    image: (i) => Float32Array.from(arrays.images.subarray(i * SIZE, (i + 1) * SIZE), (value) => value / 255),
  };
  data.views = about.views.map((described, v) => makeView(described, data.mlp, (name) => arrays[`${v}.${name}`]));
  return data;
}

function makeView({ name, unit, n, metrics }, mlp, array) {
  const [maps, scale, starts] = [array("maps"), array("map_scale"), array("starts")];
  const part = (values, width, j) => values.subarray(j * width, (j + 1) * width);
  const encoder = array("w_enc") && { w: array("w_enc"), b: array("b_enc") };
  const points = array("curves").length / n;
  const examples = (j) => [...array("examples").subarray(starts[j], starts[j + 1])];
  return {
    name,
    unit,
    n,
    metrics: metrics.map((metric, m) => ({ ...metric, values: part(array("metrics"), n, m) })),
    encoder,
    map: (j) => (maps ? Float32Array.from(part(maps, SIZE, j), (value) => value * scale[j]) : readOf(mlp, encoder, j)),
    logits: (j) => part(array("logits"), DIGITS, j),
    curve: (j) => Array.from(part(array("curves"), points, j), (value) => value / 255),
    examples,
    /** The examples of each feature cluster, the largest cluster first; none if their embeddings have no direction. */
    clusters: (j) => {
      const found = [];
      const labels = array("clusters").subarray(starts[j], starts[j + 1]);
      if (labels[0] === UNCLUSTERED) return found;
      for (const [k, image] of examples(j).entries()) (found[labels[k]] ??= []).push(image);
      return found;
    },
  };
}

/** What each pixel adds to a unit while all hidden neurons are on: of a latent by the neurons that it reads. */
function readOf({ wIn, bIn }, encoder, j) {
  const width = bIn.length;
  if (!encoder) return Float32Array.from({ length: SIZE }, (_, p) => wIn[p * width + j]);
  const weights = Float32Array.from({ length: width }, (_, h) => encoder.w[h * encoder.b.length + j]);
  return Float32Array.from({ length: SIZE }, (_, p) => weights.reduce((sum, w, h) => sum + wIn[p * width + h] * w, 0));
}

/** The mean of some images, pixel by pixel. */
export function averageImage(data, images) {
  const sum = new Float32Array(SIZE);
  for (const i of images) data.image(i).forEach((value, p) => (sum[p] += value));
  return sum.map((value) => value / Math.max(1, images.length));
}

/** Two images multiplied pixel by pixel. */
export function product(one, other) {
  return one.map((value, p) => value * other[p]);
}

/** A unit's activation on each of some images. */
export function activationsOn(data, view, j, images) {
  return images.map((i) => unitActivations(view, hiddenLayer(data.mlp, data.image(i)))[j]);
}

/** How many images there are of each digit, as [digit, count], the most frequent first. */
export function digitCounts(data, images) {
  const counts = new Map();
  for (const i of images) counts.set(data.labels[i], (counts.get(data.labels[i]) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

/** The smallest share of the inputs that holds half of the activation, read off a cumulative curve. */
export function halfway(curve) {
  const k = curve.findIndex((share) => share >= 0.5);
  const between = (0.5 - curve[k - 1]) / (curve[k] - curve[k - 1]);
  return (k - 1 + between) / (curve.length - 1);
}

/** The place of the largest value. */
export function placeOfLargest(values) {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}
