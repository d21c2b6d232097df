// The clusters of the present cut as cards, the largest first: key tokens and examples, the medoid on top.

import { button, clamp, consume, element, rove } from "./elements.js";
import { capital, count, directionOf, exampleElements, frequentKeys, percent, wordsFor } from "./snippets.js";
import { unlikeTheRest } from "./quadrants.js";
import { members } from "./tree.js";
import { wordChip } from "./word.js";

const FIRST_CARDS = 8;
const FIRST_EXAMPLES = 3;
const FIRST_PICTURES = 12;
const KEY_TOKENS = 5;

export class Cards {
  /** @param explorer the state that it shows and changes (cluster-view.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.first = explorer.data.pictures ? FIRST_PICTURES : FIRST_EXAMPLES; // examples of a card
    this.all = false; // whether clusters after the first few are shown
    this.open = new Set(); // the clusters, by node, that show all their examples
    this.rows = new Map(); // by example, those that some card has shown
    this.root = element("div", { class: "nk-cards" });
  }

  /** Lay out the cards of the present cut; those that stay as they were are not touched. */
  deal() {
    const { clusters } = this.explorer;
    const shown = this.all ? clusters : clusters.slice(0, FIRST_CARDS);
    const wanted = shown.map((cluster, place) => {
      const card = this.card(cluster);
      return card?.dataset.place === String(place) ? card : this.makeCard(cluster, place);
    });
    if (clusters.length > shown.length) wanted.push(this.makeMore(clusters.length - shown.length));
    wanted.forEach((part, i) => {
      if (this.root.children[i] !== part) this.root.insertBefore(part, this.root.children[i] ?? null);
    });
    while (this.root.children.length > wanted.length) this.root.lastChild.remove();
  }

  makeMore(hidden) {
    return button({ class: "nk-more" }, [`Show ${count(hidden, "more cluster")}`], () => {
      this.all = true;
      this.deal();
      this.root.children[FIRST_CARDS].querySelector("button").focus();
    });
  }

  makeCard(cluster, place) {
    const { explorer } = this;
    const members = this.members(cluster);
    const name = `Cluster ${place + 1}`;
    const label = `${name}${explorer.host.cardsOf ?? ""}`; // two neurons side by side have cards of one number
    const attributes = { class: "nk-card", "aria-label": label, "data-node": cluster, "data-place": place };
    const card = element("section", attributes, [
      this.makeHead(cluster, name, members.length),
      ...this.makeKeys(members),
      ...this.makeQuadrants(members),
      this.makeList(this.open.has(cluster) ? members : members.slice(0, this.first), name),
    ]);
    card.style.setProperty("--color", explorer.color(place));
    if (members.length > this.first) card.append(this.makeToggle(cluster, members.length));
    card.append(...(explorer.host.cardParts?.(cluster) ?? []));
    return card;
  }

  makeHead(cluster, name, size) {
    const { explorer } = this;
    const texts = [
      element("span", { class: "nk-hidden" }, ["Cluster "]),
      element("span", { class: "nk-badge" }, [name.split(" ")[1]]),
      element("span", {}, [`${count(size, "example")}, ${percent(size / explorer.tree.n)}`]),
    ];
    return button({ class: "nk-head", "aria-pressed": explorer.chosen === cluster }, texts, () =>
      explorer.choose(explorer.chosen === cluster ? null : cluster),
    );
  }

  makeKeys(members) {
    const { key, counted } = wordsFor(this.explorer.data);
    if (!counted) return [];
    const words = frequentKeys(this.explorer.data, members, KEY_TOKENS).flatMap(([token, times]) => [
      wordChip(token),
      element("span", { class: "nk-times" }, [`×${times}`]),
    ]);
    return [element("p", { class: "nk-keys" }, [element("span", { class: "nk-hidden" }, [`${capital(key)}s: `]), ...words])];
  }

  makeQuadrants(members) {
    const shares = unlikeTheRest(this.explorer.data, members);
    return shares ? [element("p", { class: "nk-quadrants" }, [shares])] : [];
  }

  makeList(examples, name) {
    const list = element("ol", { role: "listbox", "aria-label": `Examples of ${name.toLowerCase()}` });
    for (const [k, example] of examples.entries()) {
      const row = this.row(example);
      row.tabIndex = k ? -1 : 0;
      row.classList.toggle("nk-medoid", k === 0 && examples.length > 2);
      list.append(row);
    }
    rove(list, this.explorer.data.pictures ? stepsIn(list) : { ArrowDown: 1, ArrowUp: -1 });
    return list;
  }

  makeToggle(cluster, size) {
    const all = this.open.has(cluster);
    return button({ class: "nk-more", "aria-expanded": all }, [all ? "Show fewer" : `Show all ${size}`], () => {
      if (all) this.open.delete(cluster);
      else this.open.add(cluster);
      this.redeal(cluster).querySelector(".nk-more").focus();
    });
  }

  row(example) {
    if (!this.rows.has(example)) this.rows.set(example, this.makeRow(example));
    return this.rows.get(example);
  }

  makeRow(example) {
    const { explorer } = this;
    const marked = example === explorer.marked;
    const attributes = { class: `nk-snippet${marked ? " nk-marked" : ""}`, role: "option", "aria-selected": marked, tabindex: -1 };
    const row = element("li", { ...attributes, dir: directionOf(explorer.data, example) });
    row.append(...exampleElements(explorer.data, example));
    row.addEventListener("pointerenter", () => explorer.mark(example));
    row.addEventListener("focus", () => explorer.mark(example));
    if (explorer.data.pictures) return row;
    row.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      const onward = getComputedStyle(row).direction === "rtl" ? -by : by;
      explorer.readPiece(clamp(explorer.piece + onward, 0, row.children.length - 1));
      consume(event);
    });
    return row;
  }

  /** Color the tokens of the examples anew. */
  shade() {
    for (const [example, row] of this.rows) row.replaceChildren(...exampleElements(this.explorer.data, example));
  }

  members(cluster) {
    return members(this.explorer.tree, this.explorer.data.medoids, cluster);
  }

  /** The card of a cluster, laid out if it was not. */
  find(cluster) {
    if (!this.card(cluster)) {
      this.all = true;
      this.deal();
    }
    return this.card(cluster);
  }

  /** The card of a cluster, if it is shown. */
  card(cluster) {
    return this.root.querySelector(`[data-node="${cluster}"]`);
  }

  redeal(cluster) {
    const card = this.makeCard(cluster, this.explorer.clusters.indexOf(cluster));
    this.card(cluster).replaceWith(card);
    return card;
  }

  /** Let an example stand out, or no longer. */
  mark(example, on) {
    const row = this.rows.get(example);
    row?.classList.toggle("nk-marked", on);
    row?.setAttribute("aria-selected", on);
  }

  /** Show which cluster is chosen. */
  choose() {
    for (const card of this.root.querySelectorAll(".nk-card")) {
      const chosen = Number(card.dataset.node) === this.explorer.chosen;
      card.querySelector(".nk-head").setAttribute("aria-pressed", chosen);
    }
  }

  /** Open what hides an example, and go there. */
  reveal(example, cluster) {
    this.find(cluster);
    if (!this.members(cluster).slice(0, this.first).includes(example)) this.open.add(cluster);
    this.redeal(cluster);
    this.row(example).focus();
  }
}

/** The steps of the arrow keys in a list that fills line after line. */
function stepsIn(list) {
  const inLine = () => Array.from(list.children).filter((item) => item.offsetTop === list.firstChild.offsetTop).length;
  return {
    ArrowRight: 1,
    ArrowLeft: -1,
    get ArrowDown() {
      return inLine();
    },
    get ArrowUp() {
      return -inLine();
    },
  };
}
