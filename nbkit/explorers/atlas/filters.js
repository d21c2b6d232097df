// All filters together: a row passes if it passes each of them, and each shows the rows that pass the others.

import { button, element } from "../shared/elements.js";
import { count } from "../shared/snippets.js";
import { RangeFilter } from "./range-filter.js";
import { ANY, rangeIn, rangeText, sift } from "./ranges.js";

const ENOUGH = 10; // examples, so that chance does not lead the list
const FIRST_FILTERS = ["n_clusters", "second_share", "silhouette", "token_agreement", "concentration", "n_examples", "layer"];

/** Ranges to begin with, by what a reader may be after. */
const PRESETS = [
  ["Two clear behaviors", { n_clusters: [2, 3], second_share: [0.3, Infinity], silhouette: [0.4, Infinity], n_examples: [20, Infinity] }],
  ["Beyond tokens", { n_clusters: [2, Infinity], silhouette: [0.3, Infinity], token_agreement: [-Infinity, 0.3] }],
  ["One behavior", { n_clusters: [1, 1], n_examples: [20, Infinity] }],
];

export class Filters {
  /** @param overview the whole model (atlas-data.js)
   * @param changed is told when the reader has chosen other ranges */
  constructor(overview, changed) {
    this.overview = overview;
    this.changed = changed;
    const layers = new Float32Array(overview.n);
    overview.sites.forEach(({ number }, place) => layers.fill(number, overview.starts[place], overview.starts[place + 1]));
    const all = [...overview.metrics, { name: "layer", label: overview.words.site, values: layers }];
    const rank = ({ name }) => (FIRST_FILTERS.includes(name) ? FIRST_FILTERS.indexOf(name) : FIRST_FILTERS.length);
    this.metrics = [...all].sort((a, b) => rank(a) - rank(b));
    this.filters = []; // those that were made: the first, and the others once somebody asks for them
    this.summary = element("summary", {}, ["Filters"]);
    this.rest = element("div", { class: "nk-filter-grid" });
    this.more = element("details", {}, [element("summary", {}, ["More filters"]), this.rest]);
    this.more.addEventListener("toggle", () => this.makeRest() && this.sift(...this.sifted));
    const first = element("div", { class: "nk-filter-grid" });
    this.make(this.metrics.filter(({ name }) => FIRST_FILTERS.includes(name)), first);
    this.root = element("details", { class: "nk-filters" }, [this.summary, this.makePresets(), first, this.more]);
  }

  make(metrics, grid) {
    const made = metrics.map((metric) => new RangeFilter(metric, this.usual(metric.name), () => this.chosen()));
    this.filters.push(...made);
    grid.append(...made.map(({ root }) => root));
  }

  /** @returns whether there was something to make */
  makeRest() {
    const missing = this.metrics.slice(this.filters.length);
    this.make(missing, this.rest);
    return missing.length > 0;
  }

  usual(name) {
    if (name !== "n_examples") return ANY;
    const most = this.overview.byName.get(name).values.reduce((a, b) => Math.max(a, b), 0); // few inputs give few examples
    return [Math.min(ENOUGH, this.overview.max_examples, most), Infinity];
  }

  makePresets() {
    const names = this.metrics.map(({ name }) => name);
    const known = PRESETS.filter(([, ranges]) => Object.keys(ranges).every((name) => names.includes(name)));
    const key = this.overview.called.key.replace("key ", "");
    const buttons = known.map(([text, ranges]) => button({ class: "nk-chip" }, [text.replace("token", key)], () => this.take(ranges, true)));
    this.reset = button({ class: "nk-chip nk-reset", "aria-label": "Clear filters" }, ["Clear"], () => this.take({}, true));
    return element("div", { class: "nk-presets", role: "group", "aria-label": "Ready-made filters" }, [...buttons, this.reset]);
  }

  /** Take ranges by name; every other filter is as usual. */
  take(ranges, tell = false) {
    const made = new Set(this.filters.map(({ name }) => name));
    if (Object.keys(ranges).some((name) => !made.has(name))) this.makeRest();
    for (const filter of this.filters) {
      filter.range = ranges[filter.name] ?? filter.usual;
      filter.show();
    }
    if (tell) this.chosen();
  }

  chosen() {
    this.changed();
  }

  /** The ranges that an address names. */
  read(asked) {
    const old = asked.least === undefined ? {} : { n_examples: rangeIn(`${asked.least}..`) }; // of addresses before filters
    const named = this.metrics.map(({ name }) => [name, rangeIn(asked[name] ?? "")]);
    return { ...old, ...Object.fromEntries(named.filter(([, range]) => range)) };
  }

  /** What differs from the usual, as an address has it. */
  get asked() {
    const differs = ({ range, usual }) => range[0] !== usual[0] || range[1] !== usual[1];
    return Object.fromEntries(this.filters.filter(differs).map(({ name, range }) => [name, rangeText(range)]));
  }

  /** Of each row whether it passes; the histograms follow.
   * @param passes whether a row is let in at all
   * @param all whether what is as usual hides nothing: who seeks a word has not asked for many examples */
  sift(passes, all) {
    this.sifted = [passes, all];
    const filters = this.filters.map((filter) => ({ ...filter, range: all && filter.range === filter.usual ? ANY : filter.range }));
    const { passing, counts } = sift(filters, this.overview.n, passes);
    this.filters.forEach((filter, i) => filter.count(counts[i]));
    const active = this.filters.filter((filter) => !filter.any).length;
    this.summary.textContent = active ? `Filters: ${count(active, "range")}` : "Filters";
    this.reset.hidden = !Object.keys(this.asked).length;
    return passing;
  }
}
