// What a list shows of a neuron: the medoids of its features, from the light shards of medoid_shard.py.

import { offsets, shardName } from "./atlas-data.js";

const MEDOID_STEPS = 15; // of medoid_shard.py
const KEPT_MEDOIDS = 2000; // neurons whose texts stay in memory: far more than a list has in sight

/** The features of the neuron at a place in the shard, the largest first: their `sizes`, and their medoids as examples of
 * snippets.js, in the same order.
 * @param words the vocabulary, and how inputs are called and drawn (atlas-data.js) */
export function medoidsOf(shard, place, { tokens: vocabulary, raw, called, pictures }) {
  shard.starts ??= { features: offsets(shard.counts), tokens: offsets(shard.length) };
  const [first, last] = shard.starts.features.subarray(place, place + 2);
  const numbers = Array.from({ length: last - first }, (_, i) => first + i);
  const part = (array) => numbers.map((i) => array.subarray(...shard.starts.tokens.subarray(i, i + 2)));
  return {
    sizes: Array.from(shard.size.subarray(first, last)),
    vocabulary,
    raw,
    called,
    pictures,
    contexts: Array.from(shard.context?.subarray(first, last) ?? []),
    positions: Array.from(shard.position?.subarray(first, last) ?? []),
    tokens: part(shard.tokens),
    activations: part(shard.steps).map((steps) => Float32Array.from(steps, (step) => step / MEDOID_STEPS)),
    keys: Array.from(shard.key.subarray(first, last)),
    largest: 1,
    sign: "both", // steps are of what counts alone
    shade: "share",
  };
}

/** The medoids of any neuron, loaded when they are asked for. */
export class Medoids {
  /** @param wordsOf gives what a unit's examples are read with (atlas-data.js) */
  constructor(store, overview, wordsOf) {
    Object.assign(this, { store, overview, wordsOf });
    this.known = new Map(); // by row
  }

  async load(row) {
    const each = this.overview.per_medoid_shard;
    const shard = await this.store.get(shardName("medoids", row, each));
    if (!this.known.has(row)) this.known.set(row, medoidsOf(shard, row % each, this.wordsOf(row)));
    if (this.known.size > KEPT_MEDOIDS) this.known.delete(this.known.keys().next().value);
    return this.known.get(row);
  }
}
