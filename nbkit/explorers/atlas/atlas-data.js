// What the shards of an atlas hold, as the explorer's parts read it. Pure functions, no page needed.

import { QUADRANTS } from "../shared/quadrants.js";
import { cut, makeTree } from "../shared/tree.js";

const NEIGHBORS = 4; // similar features of each scope
const NONE = 0xffffffff;
const NO_EXAMPLE = 0xffff; // as in neuron_shard.py

/** Where each part of a flat array starts, its end last: running sums of `sizes`. */
export function offsets(sizes) {
  const starts = new Uint32Array(sizes.length + 1);
  for (let i = 0; i < sizes.length; i++) starts[i + 1] = starts[i] + sizes[i];
  return starts;
}

/** The name of the shard of a kind that holds the item of this number, as shard_files.py has it.
 * @param each how many items a shard holds */
export function shardName(kind, number, each = 1) {
  return `${kind}-${String(Math.floor(number / each)).padStart(5, "0")}`;
}

/** The features of the whole model: which neuron each belongs to, its size and its most frequent key token. */
export class Features {
  constructor(arrays, vocabulary) {
    Object.assign(this, arrays, { vocabulary });
    this.starts = offsets(this.counts);
  }

  row(feature) {
    let [low, high] = [0, this.counts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= feature) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Its place among its neuron's clusters, the largest first. */
  place(feature) {
    return feature - this.starts[this.row(feature)];
  }

  /** Its most frequent key token; of a token that is a part of a character, a character that it has a part in. */
  word(feature) {
    return this.json?.spelled[feature] ?? this.vocabulary[this.token[feature]];
  }
}

/** The examples of a neuron as snippets.js shows them, with their tree, levels and logit effects; of the neuron at a
 * place in the shard. A neuron without examples, or whose embeddings have no direction, is not `clustered`.
 * @param {{tokens: string[], raw: Object<number, string>, called?: InputWords, pictures?: Pictures, sign?: Sign}} words the
 *    vocabulary, the raw texts (pieces.js) of its tokens that are shown as something else, how inputs are called and drawn,
 *    and which activations count */
export function neuronData(shard, place, { tokens: vocabulary, raw, called, pictures, sign }) {
  const words = { vocabulary, raw, called, pictures, sign };
  const starts = startsOf(shard);
  const n = shard.n[place];
  const [first, last] = starts.merges.subarray(place, place + 2);
  const data = {
    n,
    clustered: n > 0 && !undirected(shard, place),
    ...words,
    max: shard.max[place],
    ...examplesOf(shard, "", starts, starts.examples[place], n, shard.scale[place]),
    pairs: Array.from(shard.pairs.subarray(2 * first, 2 * last)),
    heights: Array.from(shard.heights.subarray(first, last)),
    medoids: Array.from(shard.medoids.subarray(first, last)),
    shade: "activation",
    importance: importanceOf(shard, place, starts),
    levels: levelsOf(shard, place, words, starts),
    effects: effectsOf(shard, place, vocabulary),
    ...strongestOf(shard, place, words, starts),
  };
  data.largest = Math.max(data.max, Number.MIN_VALUE);
  for (const some of [data.stronger, ...data.levels.map((level) => level.data)]) {
    Object.assign(some, { largest: data.largest, shade: "activation" });
  }
  return data;
}

/** Whether the embeddings of the neuron at a place have no direction: its weights are zeros. */
function undirected(shard, place) {
  return shard.undirected?.includes(place) ?? false;
}

function startsOf(shard) {
  if (shard.starts) return shard.starts;
  const examples = offsets(shard.n);
  const important = offsets(shard.important);
  const weighed = []; // tokens of each example that has its importance
  for (let place = 0; place < shard.n.length; place++) {
    for (let i = important[place]; i < important[place + 1]; i++) {
      weighed.push(shard.key[examples[place] + shard.important_example[i]] + 1);
    }
  }
  shard.starts = {
    examples,
    important,
    importance: offsets(weighed),
    tokens: offsets(shard.length),
    merges: offsets(Array.from(shard.n, (n, place) => (undirected(shard, place) ? 0 : Math.max(n - 1, 0)))),
    bands: offsets(shard.levels),
    strongest: offsets(shard.strongest),
    ...strongerStarts(shard),
    shown: offsets(shard.shown),
    level_tokens: offsets(shard.level_length),
  };
  return shard.starts;
}

function examplesOf(shard, prefix, starts, first, n, scale) {
  const rows = Array.from({ length: n }, (_, i) => first + i);
  const range = (e) => [starts[`${prefix}tokens`][e], starts[`${prefix}tokens`][e + 1]];
  const column = (name) => rows.map((e) => shard[prefix + name][e]);
  const [keys, peaks] = [column("key"), column("peak")];
  return {
    tokens: rows.map((e) => shard[`${prefix}tokens`].subarray(...range(e))),
    activations: rows.map((e, i) => {
      const values = Float32Array.from(shard[`${prefix}windows`].subarray(...range(e)), (value) => value * scale);
      values[keys[i]] = peaks[i]; // exact, the others are rounded
      return values;
    }),
    keys,
    contexts: column("context"),
    positions: column("position"),
    quadrants: quadrantsOf(shard[`${prefix}quadrant`], first, n),
  };
}

/** The quadrants of some examples (quadrants.js); null if their neuron is not gated, or they are not known. */
function quadrantsOf(all, first, n) {
  const some = all?.subarray(first, first + n) ?? [];
  return n && some.length && some[0] < QUADRANTS.length ? some : null;
}

function importanceOf(shard, place, starts) {
  const found = new Map();
  for (let i = starts.important[place]; i < starts.important[place + 1]; i++) {
    const values = shard.importance.subarray(starts.importance[i], starts.importance[i + 1]);
    found.set(shard.important_example[i], Float32Array.from(values, (value) => value / 255));
  }
  return found;
}

function levelsOf(shard, place, words, starts) {
  const bands = [];
  for (let band = starts.bands[place]; band < starts.bands[place + 1]; band++) {
    const data = examplesOf(shard, "level_", starts, starts.shown[band], shard.shown[band], shard.scale[place]);
    bands.push({
      low: shard.low[band],
      high: shard.high[band],
      count: shard.count[band],
      data: { ...words, ...data },
    });
  }
  return bands;
}

/** Where each neuron's texts start that are among the strongest and no dataset examples, and their tokens. */
function strongerStarts(shard) {
  const strongest = offsets(shard.strongest);
  const none = (place) => shard.strongest_example.subarray(...strongest.subarray(place, place + 2)).filter((e) => e === NO_EXAMPLE);
  return { stronger: offsets(Array.from(shard.strongest, (_, place) => none(place).length)), strong_tokens: offsets(shard.strong_length) };
}

/** The strongest contexts, the highest first: each is a dataset `example`, or the one at place `other` of `stronger`, with
 * the dataset example that is `near` it, if any, and the `distance` of their embeddings. */
function strongestOf(shard, place, words, starts) {
  const [first, last] = starts.stronger.subarray(place, place + 2);
  let other = 0;
  const strongest = Array.from(shard.strongest_example.subarray(...starts.strongest.subarray(place, place + 2)), (example) => {
    if (example !== NO_EXAMPLE) return { example };
    const [near, distance] = [shard.strong_near[first + other], shard.strong_distance[first + other]];
    return { other: other++, near: near === NO_EXAMPLE ? null : near, distance };
  });
  return { strongest, stronger: { ...words, ...examplesOf(shard, "strong_", starts, first, last - first, shard.scale[place]) } };
}

function effectsOf(shard, place, vocabulary) {
  if (!shard.logit_tokens) return null;
  const each = shard.logit_tokens.length / shard.n.length / 2; // tokens that are promoted, and as many suppressed
  const all = Array.from({ length: 2 * each }, (_, i) => [
    vocabulary[shard.logit_tokens[place * 2 * each + i]],
    shard.logit_values[place * 2 * each + i],
  ]);
  if (all.every(([, effect]) => effect === 0)) return null; // its output weights are zeros: any tokens tie
  return { promoted: all.slice(0, each), suppressed: all.slice(each) };
}

/** The nodes of a neuron's tree that are its features: the clusters at the survey's cut, in the order of their size. */
export function featureNodes(data, at) {
  return data.n ? cut(makeTree(data.pairs, data.heights), at) : [];
}

/** The similar features of one feature: for each scope [feature, cosine], the most similar first.
 * @param place of the feature among those of the shard */
export function similarFeatures(shard, kind, place) {
  const each = 2 * NEIGHBORS;
  const found = Array.from({ length: each }, (_, i) => [
    shard[`feature_${kind}`][place * each + i],
    shard[`cosine_${kind}`][place * each + i] / 10_000 - 1,
  ]);
  const known = (list) => list.filter(([feature]) => feature !== NONE);
  return [known(found.slice(0, NEIGHBORS)), known(found.slice(NEIGHBORS))];
}
