// The live neuron: its tree, the cut that moves once by itself, and the largest clusters of the cut side by side.
// Served together with its imports as one module (bundle.py); live_neuron.py says what the data are.

import { clusterColors } from "../shared/cluster-colors.js";
import { button, element } from "../shared/elements.js";
import { keyLine } from "../shared/kwic.js";
import { count, cutText, frequentKeys, largestStrength } from "../shared/snippets.js";
import { TreeView } from "../shared/tree-view.js";
import { cut, labels, makeTree, members } from "../shared/tree.js";
import { wordChip } from "../shared/word.js";

const START = 1; // the distance from which the cut falls
const [HOLD, FALL] = [700, 5200]; // ms at the start, and of the way down
const LINES = 3; // of a column; on a narrow page the style sheet hides the last
const WIDE = 900; // pixels from which there is room for one column more
const HINT = "Drag the dashed line to cut elsewhere; point at the tree to read its texts.";

/** What is cut, chosen and pointed at; tells the tree and the columns when it changes. */
class LiveView {
  constructor(model) {
    this.model = model;
    this.data = JSON.parse(model.get("data"));
    this.data.largest = largestStrength(this.data);
    this.tree = makeTree(this.data.pairs, this.data.heights);
    this.rest = this.threshold = model.get("threshold");
    this.colorOf = clusterColors(this.tree, cut(this.tree, this.rest));
    this.chosen = null;
    this.marked = null;
    this.touched = false;
    this.treeView = new TreeView(this, [190, 230]);
    this.status = element("p", { class: "nk-status", role: "status" });
    this.player = button({ class: "nk-play" }, [], () => (this.frame ? this.stop() : this.play()));
    this.line = element("p", { class: "nk-under", "aria-live": "polite" }, [HINT]);
    this.columns = element("div", { class: "nk-columns" });
    this.others = element("p", { class: "nk-others" });
    this.root = element("div", { class: "nbkit-explorer nk-dendrogram nk-live", "data-lm-suppress-shortcuts": true }, [
      element("div", { class: "nk-heading" }, [
        element("p", { class: "nk-title" }, [`${this.data.title}: ${count(this.tree.n, "text")}`]),
        this.status,
        this.player,
      ]),
      this.treeView.root,
      this.line,
      this.columns,
      this.others,
    ]);
    this.treeView.root.addEventListener("pointerleave", () => this.line.replaceChildren(HINT));
    for (const touch of ["pointerdown", "keydown", "focusin"]) {
      this.root.addEventListener(touch, ({ target }) => this.player.contains(target) || this.takeOver(), { capture: true });
    }
    this.regroup();
    this.showPlayer();
  }

  // what the tree asks for

  color(place) {
    return place < 0 ? "var(--alone)" : this.colorOf(this.clusters[place]);
  }

  cutAt(threshold) {
    this.model.set("threshold", threshold);
    this.model.save_changes();
    this.moveTo(threshold);
  }

  mark(example) {
    this.treeView.mark(this.marked, false);
    this.treeView.mark(example, true);
    this.marked = example;
    if (this.treeView.root.matches(":hover, :focus-within")) this.line.replaceChildren(keyLine(this.data, example));
  }

  reveal(example) {
    this.choose(this.clusters[this.label[example]]);
  }

  // the cut

  moveTo(threshold) {
    this.threshold = threshold;
    const clusters = cut(this.tree, threshold);
    if (clusters.length === this.clusters.length) this.treeView.placeHandle();
    else this.regroup();
    this.tell();
  }

  regroup() {
    this.clusters = cut(this.tree, this.threshold);
    this.label = labels(this.tree, this.clusters);
    if (!this.clusters.includes(this.chosen)) this.chosen = null;
    this.treeView.paint();
    this.deal();
    this.tell();
  }

  tell() {
    this.status.textContent = cutText(this.clusters.length, this.threshold);
  }

  /** Let the cut fall from the start to where it rests; readers who want no motion see it there at once. */
  play() {
    let began;
    const step = (now) => {
      began ??= now;
      const part = Math.min(1, Math.max(0, (now - began - HOLD) / FALL));
      const eased = part * part * (3 - 2 * part);
      this.moveTo(START + (this.rest - START) * eased);
      if (part < 1) this.frame = requestAnimationFrame(step);
      else this.stop(this.rest);
    };
    this.status.setAttribute("aria-live", "off"); // it is not read out on the way
    this.frame = requestAnimationFrame(step);
    this.showPlayer();
  }

  /** Stop where the cut is. */
  stop(at = Number(this.threshold.toFixed(2))) {
    if (!this.frame) return;
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    this.status.removeAttribute("aria-live");
    this.cutAt(at);
    this.showPlayer();
  }

  /** Stop for a reader who takes over; whoever does so before it began sees it begin when they ask for it. */
  takeOver() {
    this.touched = true;
    this.stop();
  }

  showPlayer() {
    this.player.textContent = this.frame ? "Pause" : "Play again";
    this.player.classList.toggle("nk-playing", this.frame !== undefined);
  }

  // the columns

  /** Lay out the largest clusters in the order of the tree; those that stay are not touched. */
  deal() {
    const { clusters, treeView } = this;
    const shown = clusters.slice(0, (treeView.width ?? 0) < WIDE ? 3 : 4);
    const inOrder = [...shown].sort((a, b) => treeView.place[a] - treeView.place[b]);
    for (const column of [...this.columns.children]) {
      if (!shown.includes(Number(column.dataset.node))) column.remove();
    }
    for (const [i, cluster] of inOrder.entries()) {
      if (Number(this.columns.children[i]?.dataset.node) !== cluster) {
        this.columns.insertBefore(this.makeColumn(cluster), this.columns.children[i] ?? null);
      }
      const column = this.columns.children[i];
      const place = String(clusters.indexOf(cluster) + 1);
      column.setAttribute("aria-label", `Cluster ${place}`);
      column.querySelector(".nk-badge").textContent = place;
    }
    const rest = clusters.length - shown.length;
    this.others.textContent = rest ? `and ${count(rest, "smaller cluster")}` : "";
  }

  makeColumn(cluster) {
    const all = members(this.tree, this.data.medoids, cluster);
    const keys = frequentKeys(this.data, all, 3).map(([token]) =>
      wordChip(token),
    );
    const head = button({ class: "nk-head", "aria-pressed": this.chosen === cluster }, [
      element("span", { class: "nk-hidden" }, ["Cluster "]),
      element("span", { class: "nk-badge" }),
      element("span", {}, [count(all.length, "text")]),
    ], () => this.choose(this.chosen === cluster ? null : cluster));
    const lines = all.slice(0, LINES).map((example) => element("li", {}, [keyLine(this.data, example)]));
    const column = element("section", { "data-node": cluster }, [
      element("div", { class: "nk-top" }, [head, element("span", { class: "nk-keys" }, keys)]),
      element("ol", {}, lines),
    ]);
    column.style.setProperty("--color", this.colorOf(cluster));
    return column;
  }

  /** Let a cluster stand out in the tree; null for none. */
  choose(cluster) {
    this.chosen = cluster;
    this.treeView.paint();
    for (const column of this.columns.children) {
      column.querySelector(".nk-head").setAttribute("aria-pressed", Number(column.dataset.node) === cluster);
    }
  }

  draw() {
    this.treeView.draw();
    this.deal();
  }
}

function render({ model, el }) {
  const view = new LiveView(model);
  const follow = () => view.frame || model.get("threshold") === view.threshold || view.moveTo(model.get("threshold"));
  const resized = new ResizeObserver(() => view.draw());
  el.append(view.root);
  resized.observe(view.treeView.root);
  model.on("change:threshold", follow);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const seen = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    seen.disconnect();
    if (!calm && !view.touched) view.play();
  }, { threshold: 0.5 });
  seen.observe(view.treeView.root);
  return () => {
    view.stop();
    seen.disconnect();
    resized.disconnect();
    model.off("change:threshold", follow);
  };
}

export default { render };
