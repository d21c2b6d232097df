// The dendrogram as SVG: axis, links, cluster numbers, one leaf an example, and the handle that cuts it.

import { clamp, consume, element, rove, svg } from "./elements.js";
import { leaves, places } from "./tree.js";
import { count, keyText, wordsFor } from "./snippets.js";

const MARGIN = { left: 40, right: 52, top: 20, bottom: 40 };
const STEPS = { ArrowUp: 0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowLeft: -0.01, PageUp: 0.1, PageDown: -0.1 };
const LOWEST = 0.01;
const HIGHEST = 1;

export class TreeView {
  /** @param explorer the state that it shows and changes (cluster-view.js)
   * @param heights in pixels, where there is little width and where there is more */
  constructor(explorer, heights = [230, 280]) {
    this.explorer = explorer;
    this.heights = heights;
    const { tree } = explorer;
    const root = 2 * tree.n - 2;
    this.order = leaves(tree, root);
    this.rank = new Map(this.order.map((example, k) => [example, k]));
    this.place = places(tree);
    this.keys = explorer.data.keys.map((_, example) => keyText(explorer.data, example));
    this.tallest = Math.max(HIGHEST, tree.height[root]) * 1.04;
    this.root = element("div", { class: "nk-plot" });
  }

  /** Draw the tree in the width that there is. */
  draw() {
    const width = this.root.clientWidth;
    if (width <= MARGIN.left + MARGIN.right || width === this.width) return;
    const focused = this.root.contains(this.root.getRootNode().activeElement ?? null);
    this.width = width;
    this.height = this.heights[width < 480 ? 0 : 1];
    this.right = width - MARGIN.right;
    this.floor = this.height - MARGIN.bottom;
    this.step = (this.right - MARGIN.left) / this.order.length;
    this.band = svg("g", { "aria-hidden": "true" });
    this.links = svg("g", { class: "nk-links", "aria-hidden": "true" }, this.makeLinks());
    this.leaves = this.makeLeaves();
    this.handle = this.makeHandle();
    const label = `Dendrogram of ${count(this.order.length, "example")}`;
    this.root.replaceChildren(
      svg("svg", { width, height: this.height, role: "group", "aria-label": label }, [
        this.makeAxis(),
        this.links,
        this.band,
        this.leaves,
        this.handle,
      ]),
    );
    if (focused) this.handle.focus();
    this.paint();
  }

  x(node) {
    return MARGIN.left + this.place[node] * this.step;
  }

  y(distance) {
    return this.floor - (distance / this.tallest) * (this.floor - MARGIN.top);
  }

  makeAxis() {
    const parts = [];
    for (let tick = 0; tick <= this.tallest; tick += 0.25) {
      const y = this.y(tick);
      parts.push(svg("line", { x1: MARGIN.left, x2: this.right, y1: y, y2: y }));
      parts.push(svg("text", { x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, [tick.toFixed(2)]));
    }
    const below = { x: (MARGIN.left + this.right) / 2, y: this.floor + 36, "text-anchor": "middle" };
    parts.push(svg("text", below, ["examples, numbered by cluster"]));
    parts.push(svg("text", { x: 0, y: 11 }, ["cosine distance"]));
    return svg("g", { class: "nk-axis", "aria-hidden": "true" }, parts);
  }

  makeLinks() {
    const { tree } = this.explorer;
    return Array.from({ length: tree.n - 1 }, (_, i) => {
      const node = tree.n + i;
      const [left, right] = [tree.left[node], tree.right[node]];
      const d =
        `M${this.x(left)} ${this.y(tree.height[left])}V${this.y(tree.height[node])}` +
        `H${this.x(right)}V${this.y(tree.height[right])}`;
      return svg("path", { d, "data-node": node });
    });
  }

  makeLeaves() {
    const group = svg("g", { class: "nk-leaves", role: "listbox", "aria-label": "Examples in the order of the tree" });
    const column = { y: MARGIN.top, width: this.step, height: this.floor + 10 - MARGIN.top };
    for (const [k, example] of this.order.entries()) {
      const x = MARGIN.left + k * this.step;
      const leaf = svg("rect", { ...column, x, role: "option", tabindex: k ? -1 : 0, "aria-selected": false });
      leaf.dataset.example = example;
      group.append(leaf);
    }
    const example = (leaf) => Number(leaf.dataset.example);
    for (const event of ["pointerover", "focusin"]) {
      group.addEventListener(event, ({ target }) => target !== group && this.explorer.mark(example(target)));
    }
    group.addEventListener("click", ({ target }) => this.explorer.reveal(example(target)));
    rove(group, { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }, (leaf) =>
      this.explorer.reveal(example(leaf)),
    );
    return group;
  }

  makeHandle() {
    const handle = svg(
      "g",
      {
        class: "nk-handle",
        role: "slider",
        tabindex: 0,
        "aria-label": "Distance at which the tree is cut",
        "aria-orientation": "vertical",
        "aria-valuemin": LOWEST,
        "aria-valuemax": HIGHEST,
      },
      [
        svg("rect", { class: "nk-reach", x: MARGIN.left, y: -10, width: this.right - MARGIN.left + 46, height: 20 }),
        svg("line", { x1: MARGIN.left, x2: this.right + 4, y1: 0, y2: 0 }),
        svg("rect", { class: "nk-grip", x: this.right + 4, y: -12, width: 42, height: 24, rx: 4 }),
        svg("text", { x: this.right + 25, y: 4.5, "text-anchor": "middle" }),
      ],
    );
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.focus();
      event.preventDefault();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const y = event.clientY - this.root.getBoundingClientRect().top;
      this.moveTo(((this.floor - y) / (this.floor - MARGIN.top)) * this.tallest);
    });
    handle.addEventListener("keydown", (event) => {
      const ends = { Home: LOWEST, End: HIGHEST };
      if (!(event.key in STEPS) && !(event.key in ends)) return;
      this.moveTo(ends[event.key] ?? this.explorer.threshold + STEPS[event.key]);
      consume(event);
    });
    return handle;
  }

  moveTo(threshold) {
    this.explorer.cutAt(Number(clamp(threshold, LOWEST, HIGHEST).toFixed(2)));
  }

  /** Show the present cut, and the cluster that stands out, in the tree as it is drawn. */
  paint() {
    if (!this.handle) return;
    const { explorer } = this;
    const { label, clusters, chosen } = explorer;
    for (const path of this.links.children) {
      const place = label[path.dataset.node];
      path.style.setProperty("--color", explorer.color(place));
      path.setAttribute("class", place < 0 ? "nk-above" : "");
      path.classList.toggle("nk-faint", chosen !== null && clusters[place] !== chosen);
    }
    this.band.replaceChildren(...clusters.flatMap((cluster, place) => this.makeNumber(cluster, place)));
    this.placeHandle();
    for (const leaf of this.leaves.children) {
      const example = Number(leaf.dataset.example);
      const key = `${wordsFor(explorer.data).key} ${this.keys[example]}`;
      leaf.setAttribute("aria-label", `Cluster ${label[example] + 1}, ${explorer.data.pictures?.described(explorer.data, example) ?? key}`);
    }
    this.mark(explorer.marked, true);
  }

  /** Put the handle where the tree is cut. */
  placeHandle() {
    if (!this.handle) return;
    const { threshold } = this.explorer;
    this.handle.setAttribute("transform", `translate(0 ${this.y(threshold)})`);
    this.handle.setAttribute("aria-valuenow", Number(threshold.toFixed(2)));
    this.handle.setAttribute("aria-valuetext", threshold.toFixed(2));
    this.handle.lastChild.textContent = threshold.toFixed(2);
  }

  /** A bar below a cluster's leaves, and its number where there is room for it. */
  makeNumber(cluster, place) {
    const { explorer } = this;
    const x = MARGIN.left + this.rank.get(leaves(explorer.tree, cluster)[0]) * this.step;
    const width = explorer.tree.size[cluster] * this.step;
    const gap = Math.min(1, width / 4);
    const bar = svg("rect", { x: x + gap / 2, y: this.floor + 4, width: width - gap, height: 4, class: "nk-bar" });
    bar.style.setProperty("--color", explorer.color(place));
    bar.classList.toggle("nk-faint", explorer.chosen !== null && explorer.chosen !== cluster);
    const digits = String(place + 1);
    if (width < digits.length * 7) return [bar];
    return [bar, svg("text", { x: x + width / 2, y: this.floor + 20, "text-anchor": "middle" }, [digits])];
  }

  /** Let an example's leaf stand out, or no longer. */
  mark(example, on) {
    const leaf = this.leaves?.children[this.rank.get(example)];
    leaf?.classList.toggle("nk-marked", on);
    leaf?.setAttribute("aria-selected", on);
  }
}
