// The whole atlas: its description, and the metrics of every unit. Pure functions, no page needed.

import { shardName } from "./atlas-data.js";
import { Sites } from "./sites.js";
import { inputWords } from "../shared/input-words.js";

export class Overview extends Sites {
  constructor(arrays) {
    super(arrays.json.sites);
    Object.assign(this, arrays.json);
    this.called = inputWords(this.inputs, this.images?.labeled);
    this.shown = arrays.shown; // of images, the numbers of those that some example is of
    this.boxes = this.sites.map((_, place) => arrays[`boxes_${place}`]);
    const told = this.metrics.filter(({ name }) => this.called.counted || name !== "token_agreement");
    this.metrics = told.map((metric) => ({
      ...metric,
      label: metric.label.replace("key token", this.called.key),
      values: decoded(arrays[metric.name], metric),
    }));
    this.byName = new Map(this.metrics.map((metric) => [metric.name, metric]));
  }

  /** Where the tree of a unit is cut, unless a reader moves it. */
  cutOf(row) {
    return this.cuts[this.places[row]];
  }

  /** Where the trees of a site are cut, by its number. */
  cutIn(layer) {
    return this.cuts[this.sites.findIndex(({ number }) => number === layer)] ?? this.cuts[0];
  }

  /** The place of a kind of likeness; of the usual one if none, or an unknown one, is named. */
  kindOf(name) {
    return this.kinds.includes(name) ? this.kinds.indexOf(name) : this.usual;
  }

  /** How often examples on one word fall into as many clusters as a unit's: the `share` of `sets` of `examples`, no more
   * than the unit has; null if it has one cluster, or it is not known. */
  oneWord(row) {
    const [n, clusters] = ["n_examples", "n_clusters"].map((name) => this.byName.get(name).values[row]);
    const told = (this.splits ?? []).filter(([examples]) => examples <= n).at(-1);
    return told && clusters > 1 ? { examples: told[0], sets: told[1], clusters, share: told[2][clusters - 2] ?? 0 } : null;
  }

  /** The name of the shard of a kind that holds a unit. */
  shardOf(kind, row) {
    return shardName(kind, row, this.per_shard);
  }
}

function decoded(raw, { scale, shift = 0 }) {
  if (raw instanceof Float32Array) return raw;
  const values = new Float32Array(raw.length);
  for (let i = 0; i < raw.length; i++) values[i] = raw[i] === 0xffff ? NaN : raw[i] * scale + shift;
  return values;
}
