// The atlas explorer: a whole model at a glance, any of its units up close, features found by word and by likeness.
// Served together with its imports as one module (bundle.py); atlas.py says what the data are.

import { Features, neuronData, similarFeatures } from "./atlas-data.js";
import { Address } from "./address.js";
import { placeIn } from "./atlas-links.js";
import { Beside } from "./beside.js";
import { CardView } from "./card-view.js";
import { Detail } from "./detail.js";
import { button, element } from "../shared/elements.js";
import { Finder } from "./finder.js";
import { followKey } from "./keys.js";
import { Glance } from "./glance.js";
import { Images } from "./images.js";
import { Medoids } from "./medoid-data.js";
import { NeuronChoice } from "./neuron-choice.js";
import { NeuronView } from "./neuron-view.js";
import { Notes } from "./notes.js";
import { NotesShelf } from "./notes-view.js";
import { Overview } from "./overview.js";
import { Store } from "./shards.js";

/** Which neuron is open and how it is shown; tells its parts when that changes. */
class AtlasState {
  constructor(model, store, overview, vocabulary, linked) {
    Object.assign(this, { model, store, overview, vocabulary });
    this.linked = !store.live; // in a book the address follows; JupyterLab's address is its own
    this.place = { shade: linked?.shade ?? "activation", cluster: linked?.cluster ?? null, kind: linked?.kind ?? null };
    this.look = linked ? "page" : false; // who came by a link sees what it names
    this.trail = []; // the neurons that were open before
    this.row = null;

    this.images = overview.images ? new Images(store, overview) : null;
    this.medoids = new Medoids(store, overview, (row) => this.wordsOf(row));
    this.notes = new Notes(overview, () => this.kept());
    this.shelf = new NotesShelf(this);
    this.glance = new Glance(this);
    this.finder = new Finder(this);
    this.choice = new NeuronChoice(this);
    this.detail = new Detail(this);
    this.beside = new Beside(this);
    this.master = element("section", { class: "nk-master", "aria-label": `Find ${overview.words.units}` }, [
      this.finder.form,
      this.finder.root,
      this.shelf.root,
      this.choice.root,
    ]);
    // JupyterLab's own keys, as Enter and the arrows, are not meant here
    this.root = element("div", { class: "nbkit-explorer nk-panel nk-atlas", "data-lm-suppress-shortcuts": true }, [
      button({ class: "nk-button nk-skip nk-hidden" }, [`Skip to the open ${overview.words.unit}`], () => this.enter()),
      element("div", { class: "nk-panes" }, [this.master, this.detail.root]),
    ]);
    this.card = new CardView(this.root, overview);
    this.root.addEventListener("keydown", (event) => followKey(this, event));
    this.root.dataset.pane = linked ? "detail" : "list";
    this.address = new Address(this, [this.choice, this.finder, this.beside, this.card]);
    if (linked) this.address.take();
    this.follow();
    if (linked && this.row !== overview.row(linked.layer, linked.index)) this.refuse(linked);
    this.first = { layer: overview.layer(this.row), index: overview.index(this.row), threshold: this.threshold };
  }

  /** Say that an address names no unit of this atlas. */
  refuse({ layer, index }) {
    this.detail.error.textContent = this.overview.missing(layer, index);
  }

  get threshold() {
    return this.model.get("threshold") ?? this.overview.cutOf(this.row ?? 0); // a page need not say
  }

  /** Where to cut another unit's tree: where the reader cut this one, or where that one's is usually cut. */
  cutFor(row) {
    const moved = this.row !== null && this.threshold !== this.overview.cutOf(this.row);
    return moved ? this.threshold : (this.row === null && this.model.get("threshold")) || this.overview.cutOf(row);
  }

  /** Open a neuron. `look`: "pane" to bring it into sight, "focus" to go there as well; `cluster` (from 1) lets one of
   * its clusters stand out. */
  open(row, { look = false, cluster = null, threshold = this.cutFor(row) } = {}) {
    if (this.row !== null && row !== this.row) {
      this.trail.push({ row: this.row, threshold: this.threshold, cluster: this.place.cluster });
    }
    this.show(row, { threshold, cluster, look, entry: row !== this.row });
  }

  /** Open a neuron at one of its features: a cluster of the survey's cut. */
  openFeature(row, place, look = "pane") {
    this.open(row, { look, cluster: place + 1, threshold: this.overview.cutOf(row) });
  }

  goBack() {
    if (!this.trail.length) return;
    if (this.linked) history.back(); // the address changes, and `Address` follows it
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
    this.address.write(entry);
    this.follow();
  }

  cutAt(threshold) {
    this.place.cluster = null;
    this.assign({ threshold });
    this.view?.follow(this.place);
    this.address.writeSoon();
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
    this.address.write(false);
    this.view?.follow(this.place);
    this.beside.follow();
    if (shade === "importance") this.view?.weigh();
  }

  likenBy(kind) {
    this.place.kind = kind;
    this.address.write(false);
    this.view?.follow(this.place);
    this.beside.follow();
  }

  /** Keep a neuron beside the open one. */
  besides(row) {
    this.beside.ask(row);
    this.detail.reveal(this.beside.root);
  }

  chose(number) {
    if ((this.place.cluster ?? 0) === number) return;
    this.place.cluster = number || null;
    this.address.write(false);
  }

  /** Something else is kept of some neuron. */
  kept() {
    this.shelf.show();
    this.detail.editor.show();
    if (this.notes.only) this.choice.select();
    else this.choice.list.refresh();
  }

  /** Show what the model says is open. */
  async follow() {
    const named = this.overview.row(this.model.get("layer"), this.model.get("neuron"));
    const row = named ?? this.firstRow();
    if (named === undefined) this.assign({ layer: this.overview.layer(row), neuron: this.overview.index(row) });
    this.detail.back.disabled = !this.trail.length;
    if (row === this.row) {
      this.choice.choose();
      this.view?.follow(this.place);
      this.lookAt();
      return;
    }
    const fresh = this.row === null;
    this.detail.editor.save(); // who goes back while typing has not left the field
    this.row = row;
    this.choice.choose();
    this.glance.choose();
    this.detail.editor.show();
    this.detail.error.textContent = "";
    this.root.setAttribute("aria-busy", "true");
    try {
      const shard = await this.store.get(this.overview.shardOf("neurons", row));
      if (row !== this.row) return; // another one was opened meanwhile
      this.view = new NeuronView(this, row, neuronData(shard, row % this.overview.per_shard, this.wordsOf(row)));
      this.detail.neuron.replaceChildren(this.beside.common, this.view.root, this.beside.root);
      this.view.follow(this.place);
      this.view.draw();
      this.beside.follow();
      if (!fresh && this.detail.apart) this.detail.reveal(this.view.chosenCard() ?? this.detail.neuron);
      this.lookAt();
      if (this.place.shade === "importance") this.view.weigh();
    } catch (error) {
      if (row !== this.row) return;
      this.view = null;
      this.detail.neuron.replaceChildren();
      this.detail.error.textContent = error.message;
      this.row = null; // so that it can be tried again
    } finally {
      if (row === this.row || this.row === null) this.root.removeAttribute("aria-busy");
    }
  }

  /** The neuron to begin with. */
  firstRow() {
    return this.overview.featured[0]?.[0] ?? this.choice.rows[0] ?? 0;
  }

  lookAt() {
    if (!this.look || !this.view) return;
    const { look } = this;
    this.look = false;
    this.showPane("detail");
    const alone = !this.master.clientWidth; // the list is out of sight, and what is focused in it
    if (look !== "pane" || alone) this.view.title.focus({ preventScroll: true });
    if (look === "page" && !alone) this.root.scrollIntoView({ block: "start" });
    this.detail.reveal(this.view.chosenCard() ?? this.detail.neuron);
  }

  /** Begin with what there is room for. */
  unfold() {
    this.choice.filters.root.open = this.detail.apart;
  }

  /** On a phone, show the list or the open neuron; beside each other they are both in sight. */
  showPane(pane) {
    if (this.root.dataset.pane === pane) return;
    this.root.dataset.pane = pane;
    if (pane === "list") this.choice.list.root.focus();
  }

  /** Go to the open neuron. */
  enter() {
    this.look = "focus";
    this.lookAt();
  }

  // what the parts ask for

  /** What a unit's examples are read with (atlas-data.js). */
  wordsOf(row) {
    const { called, sign, places } = this.overview;
    return { ...this.vocabulary, called, sign, pictures: this.images?.at(places[row]) };
  }

  async features() {
    return new Features(await this.store.get("features"), this.vocabulary.tokens);
  }

  /** The features that are similar to one of a neuron's, for each scope; all features; and the place of the kind. */
  async similar(row, place) {
    const name = this.overview.shardOf("similar", row);
    const [shard, features] = await Promise.all([this.store.get(name), this.features()]);
    const first = features.starts[row - (row % this.overview.per_shard)];
    const kind = this.overview.kindOf(this.place.kind);
    return { found: similarFeatures(shard, kind, features.starts[row] + place - first), features, kind };
  }

  /** A link to a feature of another neuron. */
  featureLink(feature, features) {
    const [row, place] = [features.row(feature), features.place(feature)];
    const text = `${this.overview.name(row)} · cluster ${place + 1}`;
    return button({ class: "nk-link" }, [text], () => this.openFeature(row, place, "focus"));
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
    const linked = store.live ? null : placeIn(location.hash, (layer) => known.cutIn(layer));
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
  state.card.settle();
  if (state.card.alone) state.look = false; // it is in sight
  state.unfold();
  const follow = () => state.assigning || state.follow();
  const readAddress = () => state.address.read(state.first);
  const resized = new ResizeObserver(() => {
    state.glance.draw();
    state.choice.list.choose();
    state.view?.draw();
    state.beside.draw();
  });
  const repaint = new MutationObserver(() => state.glance.draw(true));
  for (const part of [state.master, state.detail.root, state.choice.list.root]) resized.observe(part);
  repaint.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  repaint.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  for (const name of ["layer", "neuron", "threshold"]) model.on(`change:${name}`, follow);
  const save = () => state.detail.editor.save();
  window.addEventListener("pagehide", save);
  if (state.linked) window.addEventListener("hashchange", readAddress);
  return () => {
    resized.disconnect();
    repaint.disconnect();
    for (const name of ["layer", "neuron", "threshold"]) model.off(`change:${name}`, follow);
    window.removeEventListener("hashchange", readAddress);
    window.removeEventListener("pagehide", save);
    save();
    clearTimeout(state.address.pending);
    state.choice.close();
    state.card.take({});
    state.beside.close();
    store.close();
  };
}

export default { render };
