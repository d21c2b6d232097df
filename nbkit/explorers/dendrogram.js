// The live dendrogram: a tree with a threshold handle, and the examples regrouped into cards at every cut.
// Served together with its imports as one module (bundle.py); dendrogram.py says what the data are.

import { element } from "./elements.js";
import { cut, labels, makeTree } from "./tree.js";
import { count, legend, number, tokenElements, tokenText } from "./snippets.js";
import { TreeView } from "./tree-view.js";
import { Cards } from "./cards.js";

const HUES = 10; // --hue-0 … --hue-9 in the style sheet, used in turn

const HINT = "Drag the dashed line, or focus it and use the arrow keys, to cut elsewhere.";

/** What is cut, chosen and pointed at; tells the tree and the cards when it changes. */
class Explorer {
  constructor(model) {
    this.model = model;
    this.data = JSON.parse(model.get("data"));
    this.data.largest = Math.max(...this.data.activations.flat(), Number.MIN_VALUE);
    this.tree = makeTree(this.data.pairs, this.data.heights);
    this.chosen = null; // the cluster, by node, that stands out in the tree
    this.marked = 0; // the example that is shown below the tree
    this.token = 0; // the token of it that is read out

    this.status = element("p", { class: "nk-status", role: "status" });
    this.about = element("p", { class: "nk-about", "aria-live": "polite" });
    this.text = element("p", { class: "nk-snippet" });
    this.treeView = new TreeView(this);
    this.cards = new Cards(this);
    this.root = element("div", { class: "nbkit-explorer nk-dendrogram" }, [
      element("div", { class: "nk-heading" }, [
        element("p", { class: "nk-title" }, [this.data.title]),
        this.status,
        legend(this.data),
      ]),
      element("p", { class: "nk-hint" }, [HINT]),
      this.treeView.root,
      element("div", { class: "nk-peek" }, [this.about, this.text]),
      this.cards.root,
    ]);
    this.regroup();
    this.mark(this.cards.members(this.clusters[0])[0]);
  }

  get threshold() {
    return this.model.get("threshold");
  }

  cutAt(threshold) {
    this.model.set("threshold", threshold);
    this.model.save_changes();
  }

  /** Follow the model's threshold. */
  regroup() {
    this.clusters = cut(this.tree, this.threshold);
    this.label = labels(this.tree, this.clusters);
    if (!this.clusters.includes(this.chosen)) this.chosen = null;
    this.status.textContent = `${count(this.clusters.length, "cluster")} at distance ${this.threshold.toFixed(2)}`;
    this.treeView.paint();
    this.cards.deal();
    this.readToken(this.token);
  }

  /** The color of the cluster at a place in the order of size; the same gray for all examples that are alone. */
  color(place) {
    return place < 0 || this.tree.size[this.clusters[place]] === 1 ? "var(--alone)" : `var(--hue-${place % HUES})`;
  }

  /** Point at an example: it stands out in the tree and the cards, and is shown below the tree. */
  mark(example) {
    for (const view of [this.treeView, this.cards]) {
      view.mark(this.marked, false);
      view.mark(example, true);
    }
    this.marked = example;
    this.text.replaceChildren(...tokenElements(this.data, example));
    this.readToken(this.data.keys[example]);
  }

  /** Tell where the marked example comes from and how active the neuron is at one of its tokens. */
  readToken(token) {
    const { data, marked } = this;
    this.token = token;
    const what = token === data.keys[marked] ? "key token" : `token “${tokenText(data, marked, token)}”`;
    this.about.textContent =
      `Cluster ${this.label[marked] + 1} · context ${data.contexts[marked]}, position ${data.positions[marked]}` +
      ` · ${what}: activation ${number(data.activations[marked][token])}`;
    for (const [i, shown] of [...this.text.children].entries()) shown.classList.toggle("nk-current", i === token);
  }

  /** Let a cluster stand out in the tree; null for none. */
  choose(cluster) {
    this.chosen = cluster;
    this.treeView.paint();
    this.cards.choose();
  }

  /** Go to an example in the cards. */
  reveal(example) {
    this.cards.reveal(example, this.clusters[this.label[example]]);
  }
}

function render({ model, el }) {
  const explorer = new Explorer(model);
  const regroup = () => explorer.regroup();
  const resized = new ResizeObserver(() => explorer.treeView.draw());
  el.append(explorer.root);
  resized.observe(explorer.treeView.root);
  model.on("change:threshold", regroup);
  return () => {
    resized.disconnect();
    model.off("change:threshold", regroup);
  };
}

export default { render };
