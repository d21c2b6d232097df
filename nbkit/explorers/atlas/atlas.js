// The atlas explorer: a whole model at a glance, any of its neurons up close, features found by word and by likeness.
// Served together with its imports as one module (bundle.py); atlas.py says what the data are.

import { Features, neuronData, Overview, similarFeatures } from "./atlas-data.js";
import { addressOf, askedIn, CUT, placeIn } from "./atlas-links.js";
import { button, element } from "../shared/elements.js";
import { Finder } from "./finder.js";
import { NeuronChoice } from "./neuron-choice.js";
import { NeuronView } from "./neuron-view.js";
import { Store } from "./shards.js";

const REST = 200; // ms without another cut until the address follows

/** Which neuron is open and how it is shown; tells its parts when that changes. */
class AtlasState {
  constructor(model, store, overview, vocabulary, linked) {
    Object.assign(this, { model, store, overview, vocabulary });
    this.linked = !store.live; // in a book the address follows; JupyterLab's address is its own
    this.place = { shade: linked?.shade ?? "activation", cluster: linked?.cluster ?? null, kind: linked?.kind ?? 0 };
    this.look = linked !== null; // who came by a link sees what it names
    this.trail = []; // the neurons that were open before
    this.written = location.hash;
    this.row = null;

    this.finder = new Finder(this);
    this.choice = new NeuronChoice(this);
    this.error = element("p", { class: "nk-error", role: "alert" });
    this.neuron = element("div", { class: "nk-open" });
    // JupyterLab's own keys, as Enter and the arrows, are not meant here
    this.root = element("div", { class: "nbkit-explorer nk-panel nk-atlas", "data-lm-suppress-shortcuts": true }, [
      element("div", { class: "nk-tools" }, [this.finder.form, ...this.makeSteps()]),
      this.finder.root,
      this.choice.root,
      this.error,
      this.neuron,
    ]);
    if (linked) this.take(location.hash);
    this.follow();
    if (linked && this.row !== overview.row(linked.layer, linked.index)) this.refuse(linked);
    this.first = { layer: overview.layer(this.row), index: overview.index(this.row), threshold: this.threshold };
  }

  makeSteps() {
    const step = (text, act) => button({ class: "nk-button" }, [text], act);
    const listed = (by) => () => this.choice.rows.length && this.open(this.choice.neighbor(by));
    this.back = step("Back", () => this.goBack());
    this.back.disabled = true;
    return [
      step("Previous", listed(-1)),
      step("Next", listed(1)),
      step("Random", () => this.choice.rows.length && this.open(this.choice.any())),
      this.back,
    ];
  }

  /** What the atlas holds, in words. */
  get extent() {
    const { layers, d_mlp: width } = this.overview;
    const which = layers.length > 1 && layers.at(-1) - layers[0] === layers.length - 1;
    return `it holds layers ${which ? `${layers[0]} to ${layers.at(-1)}` : layers.join(", ")}, neurons 0 to ${width - 1}`;
  }

  /** Say that an address names no neuron of this atlas. */
  refuse({ layer, index }) {
    this.error.textContent = this.missing(layer, index);
  }

  missing(layer, index) {
    return `There is no L${layer} N${index} in this atlas: ${this.extent}.`;
  }

  get threshold() {
    return this.model.get("threshold") ?? CUT; // a page need not say
  }

  /** Open a neuron; `look` brings it into sight, `cluster` (from 1) lets one of its clusters stand out. */
  open(row, { look = false, cluster = null, threshold = this.threshold } = {}) {
    if (this.row !== null && row !== this.row) {
      this.trail.push({ row: this.row, threshold: this.threshold, cluster: this.place.cluster });
    }
    this.show(row, { threshold, cluster, look, entry: row !== this.row });
  }

  goBack() {
    if (!this.trail.length) return;
    if (this.linked) history.back(); // the address changes, and `readAddress` follows it
    else {
      const { row, ...place } = this.trail.pop();
      this.show(row, place);
    }
  }

  /** Show a neuron and write it to the model and, with a new entry in the history or not, to the address. */
  show(row, { threshold, cluster = null, shade = this.place.shade, kind = this.place.kind, look = false, entry = false }) {
    this.place = { cluster, shade, kind };
    this.look = look;
    this.assign({ layer: this.overview.layer(row), neuron: this.overview.index(row), threshold });
    this.write(entry);
    this.follow();
  }

  cutAt(threshold) {
    this.place.cluster = null;
    this.assign({ threshold });
    this.view?.follow(this.place);
    clearTimeout(this.pending); // a change of the address takes longer than the cut, and browsers limit their number
    this.pending = setTimeout(() => this.write(false), REST);
  }

  /** Change the model, all at once for those who follow it. */
  assign(values) {
    this.assigning = true;
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.assigning = false;
    this.model.save_changes();
  }

  shadeBy(shade) {
    this.place.shade = shade;
    this.write(false);
    this.view?.follow(this.place);
    if (shade === "importance") this.weigh();
  }

  likenBy(kind) {
    this.place.kind = kind;
    this.write(false);
    this.view?.follow(this.place);
  }

  chose(number) {
    if ((this.place.cluster ?? 0) === number) return;
    this.place.cluster = number || null;
    this.write(false);
  }

  /** Show what the model says is open. */
  async follow() {
    const named = this.overview.row(this.model.get("layer"), this.model.get("neuron"));
    const row = named ?? this.firstRow();
    if (named === undefined) this.assign({ layer: this.overview.layer(row), neuron: this.overview.index(row) });
    this.back.disabled = !this.trail.length;
    if (row === this.row) {
      this.view?.follow(this.place);
      this.lookAt();
      return;
    }
    this.row = row;
    this.choice.choose();
    this.error.textContent = "";
    this.root.setAttribute("aria-busy", "true");
    try {
      const shard = await this.store.get(`neurons-${this.overview.shardOf(row)}`);
      if (row !== this.row) return; // another one was opened meanwhile
      this.view = new NeuronView(this, row, neuronData(shard, row % this.overview.per_shard, this.vocabulary));
      this.neuron.replaceChildren(this.view.root);
      this.view.follow(this.place);
      this.view.draw();
      this.lookAt();
      if (this.place.shade === "importance") this.weigh();
    } catch (error) {
      if (row !== this.row) return;
      this.view = null;
      this.neuron.replaceChildren();
      this.error.textContent = error.message;
      this.row = null; // so that it can be tried again
    } finally {
      this.root.removeAttribute("aria-busy");
    }
  }

  /** The neuron to begin with. */
  firstRow() {
    return this.overview.featured[0]?.[0] ?? this.choice.rows[0] ?? 0;
  }

  lookAt() {
    if (!this.look || !this.view) return;
    this.look = false;
    this.view.title.focus({ preventScroll: true });
    (this.view.chosenCard() ?? this.view.root).scrollIntoView({ block: "start" });
  }

  // the address

  write(entry) {
    clearTimeout(this.pending);
    if (!this.linked) return;
    const address = this.address();
    if (address === location.hash) return;
    this.written = address;
    if (entry && this.row !== null) location.hash = address;
    else history.replaceState(history.state, "", address);
  }

  address() {
    const [layer, index] = [this.model.get("layer"), this.model.get("neuron")];
    const asked = { ...this.choice.asked, ...this.finder.asked };
    return addressOf({ layer, index, threshold: this.threshold, ...this.place }, asked);
  }

  /** Follow the address: the reader came by a link, or went back. */
  readAddress() {
    if (location.hash === this.written) return;
    const place = location.hash === "" ? this.first : placeIn(location.hash);
    const row = place && this.overview.row(place.layer, place.index);
    if (place && row === undefined) this.refuse(place);
    if (row === undefined || row === null) return;
    if (this.trail.at(-1)?.row === row) this.trail.pop();
    this.written = location.hash;
    this.take(location.hash);
    this.show(row, { ...place });
  }

  /** List and search what an address asks for. */
  take(address) {
    const asked = askedIn(address);
    this.choice.take(asked);
    this.finder.take(asked);
  }

  linkText() {
    if (this.linked) return new URL(this.address(), location.href).href;
    const [layer, neuron] = [this.model.get("layer"), this.model.get("neuron")];
    return `nbkit.explore(atlas, layer=${layer}, neuron=${neuron}, threshold=${this.threshold})`;
  }

  // what the parts ask for

  async features() {
    return new Features(await this.store.get("features"), this.vocabulary.tokens);
  }

  /** The features that are similar to one of a neuron's, for each scope, and all features. */
  async similar(row, place) {
    const name = `similar-${this.overview.shardOf(row)}`;
    const [shard, features] = await Promise.all([this.store.get(name), this.features()]);
    const first = features.starts[row - (row % this.overview.per_shard)];
    return [similarFeatures(shard, this.place.kind, features.starts[row] + place - first), features];
  }

  /** A link to a feature of another neuron. */
  featureLink(feature, features) {
    const [row, place] = [features.row(feature), features.place(feature)];
    const text = `${this.overview.name(row)} · cluster ${place + 1}`;
    return button({ class: "nk-link" }, [text], () => this.open(row, { look: true, cluster: place + 1, threshold: CUT }));
  }

  /** Ask a kernel that has the model for the importance of the open neuron's examples that have none yet. */
  async weigh() {
    const { view, row } = this;
    if (!view?.data.clustered || !this.store.live || !this.model.get("live_importance")) return;
    const examples = Array.from({ length: view.data.n }, (_, i) => i).filter((i) => !view.data.importance.has(i));
    if (!examples.length) return;
    view.said.textContent = "Computing token importance …";
    try {
      const { values } = await this.store.ask({ kind: "importance", row, examples });
      examples.forEach((example, i) => view.data.importance.set(example, values[i]));
      view.said.textContent = "";
      view.clusters.shade();
      view.remark();
    } catch (error) {
      view.said.textContent = `Token importance: ${error.message}.`;
    }
  }
}

async function render({ model, el }) {
  const store = new Store(model);
  const waiting = element("div", { class: "nbkit-explorer nk-panel nk-atlas" }, [element("p", { role: "status" }, ["Loading the atlas …"])]);
  el.append(waiting);
  let state;
  try {
    const [overview, vocabulary] = await Promise.all([store.get("overview"), store.get("vocabulary")]);
    const known = new Overview(overview);
    const linked = store.live ? null : placeIn(location.hash);
    if (linked) {
      model.set("layer", linked.layer);
      model.set("neuron", linked.index);
      model.set("threshold", linked.threshold);
    }
    state = new AtlasState(model, store, known, vocabulary.json, linked);
  } catch (error) {
    waiting.replaceChildren(element("p", { class: "nk-error", role: "alert" }, [error.message]));
    return () => store.close();
  }
  waiting.replaceWith(state.root);
  const follow = () => state.assigning || state.follow();
  const readAddress = () => state.readAddress();
  const resized = new ResizeObserver(() => {
    state.choice.draw();
    state.view?.draw();
  });
  const repaint = new MutationObserver(() => state.choice.glance.draw(true));
  resized.observe(state.root);
  repaint.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  repaint.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  for (const name of ["layer", "neuron", "threshold"]) model.on(`change:${name}`, follow);
  if (state.linked) window.addEventListener("hashchange", readAddress);
  return () => {
    resized.disconnect();
    repaint.disconnect();
    for (const name of ["layer", "neuron", "threshold"]) model.off(`change:${name}`, follow);
    window.removeEventListener("hashchange", readAddress);
    store.close();
  };
}

export default { render };
