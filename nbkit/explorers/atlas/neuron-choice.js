// Which neurons are listed and in which order: those that pass the filters, by a metric or by what was searched.

import { button, element } from "../shared/elements.js";
import { Filters } from "./filters.js";
import { NeuronList } from "./neuron-list.js";
import { ranking } from "../shared/ranking.js";
import { count } from "../shared/snippets.js";

const USUAL_ORDER = { metric: "n_clusters", order: "largest" };

/** @typedef {{phrase: string, hits: {row: number, place: number, size: number, count: number}[]}} Found
 *  Features that answer to a phrase, the best first: the row of the neuron, the cluster's place there and its size, and
 *  how many of its examples have the phrase. */

export class NeuronChoice {
  /** @param explorer knows the whole model and which neuron is open (atlas.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.orders = new Map(); // by metric and direction, all rows that have the metric
    this.found = null;
    this.filters = new Filters(explorer.overview, () => this.askSoon());
    this.list = new NeuronList(this);
    this.status = element("p", { class: "nk-status", role: "status" });
    this.order = this.makeOrder();
    this.root = element("div", { class: "nk-choice" }, [
      this.filters.root,
      element("div", { class: "nk-listed" }, [this.order, this.status, this.list.root]),
    ]);
    this.take({});
  }

  /** List as is asked for: the name of a `metric`, the `order` (largest or smallest first), and ranges by the name of
   * their metric; what is not, as usual. */
  take(asked) {
    const { byName } = this.overview;
    this.metric = byName.get(asked.metric) ?? byName.get(USUAL_ORDER.metric);
    this.descending = asked.order !== "smallest";
    this.filters.take(this.filters.read(asked));
    this.select();
  }

  /** What differs from how neurons are usually listed. */
  get asked() {
    const now = { metric: this.metric.name, order: this.descending ? "largest" : "smallest" };
    const differs = Object.entries(now).filter(([name, value]) => value !== USUAL_ORDER[name]);
    return { ...Object.fromEntries(differs), ...this.filters.asked };
  }

  /** The reader asks for something else. */
  ask(how = {}) {
    Object.assign(this, how);
    this.select();
    this.explorer.address.writeSoon();
  }

  /** The reader is moving a thumb: follow once a frame. */
  askSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.ask();
    });
  }

  close() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.list.resting);
  }

  /** List the features that were found; null for all neurons. */
  show(found) {
    this.found = found;
    this.select();
  }

  get overview() {
    return this.explorer.overview;
  }

  get row() {
    return this.explorer.row;
  }

  makeOrder() {
    const { metrics, byName } = this.overview;
    this.field = element(
      "select",
      {},
      metrics.map(({ name, label }) => element("option", { value: name }, [label])),
    );
    this.field.addEventListener("change", () => this.ask({ metric: byName.get(this.field.value) }));
    this.turn = button({ class: "nk-button" }, [], () => this.ask({ descending: !this.descending }));
    return element("div", { class: "nk-tools" }, [element("label", {}, ["Sort by ", this.field]), this.turn]);
  }

  /** All rows that have the metric, in its order. */
  ordered() {
    const key = `${this.metric.name} ${this.descending}`;
    if (!this.orders.has(key)) {
      const { values } = this.metric;
      this.orders.set(key, Uint32Array.from(ranking(values, this.descending)).filter((row) => !Number.isNaN(values[row])));
    }
    return this.orders.get(key);
  }

  /** List what passes the filters. */
  select() {
    const kept = this.explorer.notes.only;
    const passing = this.filters.sift(kept ? (row) => this.explorer.notes.has(row) : () => true, this.found !== null);
    this.hits = this.found?.hits.filter(({ row }) => passing[row]) ?? null;
    this.rows = this.hits ? Uint32Array.from(this.hits, ({ row }) => row) : this.ordered().filter((row) => passing[row]);
    this.order.hidden = this.hits !== null;
    this.field.value = this.metric.name;
    this.turn.textContent = this.descending ? "Largest first" : "Smallest first";
    this.turn.setAttribute("aria-label", `${this.turn.textContent}: turn the order around`);
    this.explorer.glance.draw(true);
    this.list.show();
    this.tell();
  }

  /** The place in the list of what is open; -1 if it is not there. */
  get place() {
    const { cluster } = this.explorer.place;
    const at = this.hits?.findIndex(({ row, place }) => row === this.row && place + 1 === cluster) ?? -1;
    return at < 0 ? this.rows.indexOf(this.row) : at;
  }

  /** Say how many are listed and where the open one stands. */
  tell() {
    this.status.textContent = this.hits ? this.tellHits() : this.tellUnits();
  }

  tellHits() {
    const all = this.found.hits.length;
    const hidden = all - this.hits.length;
    return `${count(this.hits.length, "feature")}${hidden ? `; the filters hide ${hidden} more` : ""}.`;
  }

  tellUnits() {
    const [n, all] = [this.rows.length, this.overview.n].map((value) => value.toLocaleString("en"));
    const at = this.place < 0 ? "" : `; ${this.overview.name(this.row)} is number ${(this.place + 1).toLocaleString("en")}`;
    return `${n} of ${all} ${this.overview.words.units}${this.row === null ? "" : at || "; the open one is not among them"}.`;
  }

  /** Open what stands at a place in the list. */
  openAt(place, { look = "pane" } = {}) {
    if (place < 0 || place >= this.rows.length) return;
    const hit = this.hits?.[place];
    if (hit) this.explorer.openFeature(hit.row, hit.place, look);
    else this.explorer.open(this.rows[place], { look });
  }

  /** Open what stands so many places further down the list; from one end to the other. */
  step(by) {
    const { length } = this.rows;
    if (length) this.openAt(this.place < 0 ? 0 : (this.place + by + length) % length);
  }

  /** Open one of those that are listed. */
  openAny() {
    this.openAt(Math.floor(Math.random() * this.rows.length));
  }

  /** Let the open neuron stand out. */
  choose() {
    this.list.choose();
    this.tell();
  }
}
