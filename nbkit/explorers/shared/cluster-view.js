// The clusters of one neuron's examples: the tree that is cut, and a card for each cluster of the cut.

import { clusterColors } from "./cluster-colors.js";
import { element } from "./elements.js";
import { QUADRANTS, quadrantText } from "./quadrants.js";
import { cut, labels, makeTree } from "./tree.js";
import { cutText, directionOf, exampleElements, examplePieces, holdsKey, legend, number, pieceValue, wordsFor } from "./snippets.js";
import { TreeView } from "./tree-view.js";
import { Cards } from "./cards.js";

const HINT = "Drag the dashed line, or focus it and use the arrow keys, to cut elsewhere.";

/** What is cut, chosen and pointed at; tells the tree and the cards when it changes. */
export class ClusterView {
  /** @param data the examples (snippets.js) with their tree: `pairs`, `heights`, `medoids`, `contexts`, `positions`
   * @param host knows the `threshold`, is told by `cutAt(threshold)` to change it, may add to a card what
   *    `cardParts(cluster)` gives and to its name `cardsOf`, and may be told by `chose(number)` which cluster stands out
   *    (0: none)
   * @param heading elements that stand before the number of clusters */
  constructor(data, host, heading = []) {
    this.data = data;
    this.host = host;
    this.tree = makeTree(data.pairs, data.heights);
    this.colorOf = clusterColors(this.tree, cut(this.tree, host.threshold));
    this.chosen = null; // the cluster, by node, that stands out in the tree
    this.marked = 0; // the example that is shown below the tree
    this.piece = 0; // the piece of it that is read out

    this.status = element("p", { class: "nk-status", role: "status" });
    this.about = element("p", { class: "nk-about", "aria-live": "polite" });
    this.text = element("p", { class: "nk-snippet" });
    this.legend = element("div", { class: "nk-legend" });
    this.treeView = new TreeView(this);
    this.cards = new Cards(this);
    this.parts = [
      element("div", { class: "nk-heading" }, [...heading, this.status, this.legend]),
      element("p", { class: "nk-hint" }, [HINT]),
      this.treeView.root,
      element("div", { class: "nk-peek" }, [this.about, this.text]),
      this.cards.root,
    ];
    this.legend.replaceChildren(...legend(data));
    this.regroup();
    this.mark(this.cards.members(this.clusters[0])[0]);
  }

  get threshold() {
    return this.host.threshold;
  }

  cutAt(threshold) {
    this.host.cutAt(threshold);
  }

  /** Follow the host's threshold. */
  regroup() {
    this.clusters = cut(this.tree, this.threshold);
    this.label = labels(this.tree, this.clusters);
    if (!this.clusters.includes(this.chosen)) this.chosen = null;
    this.status.textContent = cutText(this.clusters.length, this.threshold);
    this.treeView.paint();
    this.cards.deal();
    this.readPiece(this.piece);
  }

  /** Draw the tree in the width that there is. */
  draw() {
    this.treeView.draw();
  }

  /** Color the tokens anew, after `data.shade` or what it shows has changed. */
  shade() {
    this.legend.replaceChildren(...legend(this.data));
    this.cards.shade();
    this.showMarked();
  }

  /** The color of the cluster at a place in the order of size; gray above the cut. */
  color(place) {
    return place < 0 ? "var(--alone)" : this.colorOf(this.clusters[place]);
  }

  /** Point at an example: it stands out in the tree and the cards, and is shown below the tree. */
  mark(example) {
    for (const view of [this.treeView, this.cards]) {
      view.mark(this.marked, false);
      view.mark(example, true);
    }
    this.marked = example;
    this.pieces = examplePieces(this.data, example);
    this.piece = this.pieces.findIndex((piece) => holdsKey(this.data, example, piece));
    this.showMarked();
  }

  showMarked() {
    this.text.replaceChildren(...exampleElements(this.data, this.marked));
    this.text.dir = directionOf(this.data, this.marked);
    this.readPiece(this.piece);
  }

  /** Tell where the marked example comes from, how active the neuron is at a piece of it, and how much that mattered if
   * this is known. */
  readPiece(at) {
    const { data, marked } = this;
    this.piece = at;
    const piece = this.pieces?.[at];
    if (!piece) return;
    const key = holdsKey(data, marked, piece);
    const importance = pieceValue(data, marked, piece, data.importance?.get(marked) ?? []);
    const { outlined, place } = wordsFor(data);
    const token = key && outlined ? [outlined] : ["token “", element("bdi", {}, [piece.text]), "”"];
    this.about.replaceChildren(
      `Cluster ${this.label[marked] + 1} · `,
      data.pictures?.described(data, marked) ?? place(data.contexts[marked], data.positions[marked]),
      ...(outlined ? [" · ", ...token, ": "] : [" · "]),
      `activation ${number(pieceValue(data, marked, piece, data.activations[marked], data.sign))}` +
        (importance === undefined ? "" : `, importance ${importance.toFixed(2)}`) +
        (data.quadrants && key ? `, ${quadrantText(QUADRANTS[data.quadrants[marked]])}` : ""),
    );
    for (const [i, shown] of [...this.text.children].entries()) shown.classList.toggle("nk-current", i === at);
  }

  /** Let a cluster stand out in the tree; null for none. */
  choose(cluster) {
    this.chosen = cluster;
    this.treeView.paint();
    this.cards.choose();
    this.host.chose?.(this.clusters.indexOf(cluster) + 1);
  }

  /** Go to an example in the cards. */
  reveal(example) {
    this.cards.reveal(example, this.clusters[this.label[example]]);
  }
}
