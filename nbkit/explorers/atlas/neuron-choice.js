// Which neurons are listed and in which order: a metric, its direction and filters, for the plot and the list.

import { button, element } from "../shared/elements.js";
import { Glance } from "./glance.js";
import { NeuronList } from "./neuron-list.js";
import { ranking } from "../shared/ranking.js";

const ENOUGH = 10; // examples, so that chance does not lead the list

export class NeuronChoice {
  /** @param explorer knows the whole model and which neuron is open (atlas.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.usual = { metric: "n_clusters", order: "largest", layer: "", least: String(Math.min(ENOUGH, explorer.overview.max_examples)) };
    this.glance = new Glance(this);
    this.list = new NeuronList(this);
    this.status = element("p", { class: "nk-status", role: "status" });
    this.root = element("section", { "aria-label": "The model at a glance" }, [
      this.makeFilters(),
      element("div", { class: "nk-body" }, [this.glance.root, this.list.root]),
      this.status,
    ]);
    this.take({});
  }

  /** List as is asked for: the name of a `metric`, the `order` (largest or smallest first), the only `layer`, and the
   * `least` number of examples; what is not, as usual. */
  take(asked) {
    const { overview, usual } = this;
    const wanted = { ...usual, ...asked };
    this.metric = overview.byName.get(wanted.metric) ?? overview.byName.get(usual.metric);
    this.descending = wanted.order !== "smallest";
    this.layer = overview.layers.find((layer) => String(layer) === wanted.layer) ?? null;
    this.least = Math.max(0, Math.round(Number(wanted.least)) || 0);
    this.select();
  }

  /** What differs from how neurons are usually listed. */
  get asked() {
    const now = {
      metric: this.metric.name,
      order: this.descending ? "largest" : "smallest",
      layer: String(this.layer ?? ""),
      least: String(this.least),
    };
    return Object.fromEntries(Object.entries(now).filter(([name, value]) => value !== this.usual[name]));
  }

  /** The reader asks for something else. */
  ask(asked) {
    this.take({ ...this.asked, ...asked });
    this.explorer.write(false);
  }

  get overview() {
    return this.explorer.overview;
  }

  get row() {
    return this.explorer.row;
  }

  open(row, how) {
    this.explorer.open(row, how);
  }

  makeFilters() {
    const option = (value, text) => element("option", { value }, [text]);
    const metrics = this.overview.metrics.map(({ name, label }) => option(name, label));
    const layers = this.overview.layers.map((layer) => option(layer, layer));
    this.fields = {
      metric: element("select", {}, metrics),
      layer: element("select", {}, [option("", "all"), ...layers]),
      least: element("input", { type: "number", min: 0, max: this.overview.max_examples }),
    };
    for (const [name, field] of Object.entries(this.fields)) {
      field.addEventListener("change", () => this.ask({ [name]: field.value }));
    }
    this.turn = button({ class: "nk-button" }, [], () => this.ask({ order: this.descending ? "smallest" : "largest" }));
    const { metric, layer, least } = this.fields;
    return element("div", { class: "nk-tools" }, [
      element("label", {}, ["Metric ", metric]),
      this.turn,
      element("label", {}, ["Layer ", layer]),
      element("label", {}, ["With at least ", least, " examples"]),
    ]);
  }

  /** List the neurons that pass the filters, in the order of the metric. */
  select() {
    const { values } = this.metric;
    const examples = this.overview.values("n_examples");
    const layers = this.layer === null ? null : this.overview.layers.indexOf(this.layer);
    const found = [];
    for (let row = 0; row < this.overview.n; row++) {
      if (examples[row] < this.least || Number.isNaN(values[row])) continue;
      if (layers !== null && Math.floor(row / this.overview.d_mlp) !== layers) continue;
      found.push(row);
    }
    const shown = Float32Array.from(found, (row) => values[row]);
    this.rows = Uint32Array.from(ranking(shown, this.descending), (place) => found[place]);
    this.fields.metric.value = this.metric.name;
    this.fields.layer.value = this.layer ?? "";
    this.fields.least.value = this.least;
    this.turn.textContent = this.descending ? "Largest first" : "Smallest first";
    this.turn.setAttribute("aria-label", `${this.turn.textContent}: turn the order around`);
    this.glance.draw(true);
    this.list.show();
    this.tell();
  }

  /** Say how many neurons are listed and where the open one stands. */
  tell() {
    const [n, all] = [this.rows.length, this.overview.n].map((value) => value.toLocaleString("en"));
    const place = this.rows.indexOf(this.row);
    const at = place < 0 ? "" : `; ${this.overview.name(this.row)} is number ${(place + 1).toLocaleString("en")}`;
    const order = `${this.metric.label}, ${this.descending ? "largest" : "smallest"} first`;
    this.status.textContent = `${n} of ${all} neurons by ${order}${this.row === null ? "" : at || "; the open one is not among them"}.`;
  }

  /** The neuron so many places further down the list; from one end to the other. */
  neighbor(by) {
    const { length } = this.rows;
    const now = this.rows.indexOf(this.row);
    return this.rows[now < 0 ? 0 : (now + by + length) % length];
  }

  /** One of those that are listed. */
  any() {
    return this.rows[Math.floor(Math.random() * this.rows.length)];
  }

  /** Let the open neuron stand out. */
  choose() {
    this.list.choose();
    this.glance.choose();
    this.tell();
  }

  draw() {
    this.glance.draw();
    this.list.choose();
  }
}
