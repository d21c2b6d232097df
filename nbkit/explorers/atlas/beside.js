// A second neuron beside the open one: it stays while others are opened, and says what the two have in common.

import { neuronData } from "./atlas-data.js";
import { neuronIn } from "./atlas-links.js";
import { inCommon } from "./comparison.js";
import { button, element } from "../shared/elements.js";
import { NeuronView } from "./neuron-view.js";
import { count } from "../shared/snippets.js";
import { wordChip } from "../shared/word.js";

const WORDS = 6;

export class Beside {
  /** @param explorer the state that it shows (atlas.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.row = null; // the second neuron
    this.common = element("p", { class: "nk-common", role: "status", hidden: "" });
    this.root = element("div", { class: "nk-second", hidden: "" });
    explorer.model.on("change:threshold", this.follow);
  }

  close() {
    this.explorer.model.off("change:threshold", this.follow);
  }

  /** The second neuron, as the address has it. */
  get asked() {
    return this.row === null ? {} : { with: this.explorer.overview.inAddress(this.row) };
  }

  /** Show what an address asks for. */
  take(asked) {
    const named = neuronIn(asked.with ?? "");
    this.show((named && this.explorer.overview.row(named.layer, named.index)) ?? null);
  }

  /** The reader asks for another second neuron; null for none. */
  ask(row) {
    this.show(row);
    this.explorer.address.write(false);
  }

  async show(row) {
    if (row === this.row) return;
    this.row = row;
    this.view = null;
    this.root.hidden = row === null;
    this.common.hidden = true;
    this.root.replaceChildren(...(row === null ? [] : ["Loading …"]));
    if (row === null) return;
    const { store, overview } = this.explorer;
    try {
      const shard = await store.get(overview.shardOf("neurons", row));
      if (row !== this.row) return; // another one meanwhile
      this.view = new NeuronView(this.stateOf(), row, neuronData(shard, row % overview.per_shard, this.explorer.wordsOf(row)), [
        button({ class: "nk-button" }, ["Swap"], () => this.swap()),
        button({ class: "nk-button" }, ["Close"], () => this.ask(null)),
      ]);
      this.root.replaceChildren(this.view.root);
      this.follow();
    } catch (error) {
      if (row === this.row) this.root.replaceChildren(element("p", { class: "nk-error", role: "alert" }, [error.message]));
    }
  }

  /** The explorer as the second neuron's view sees it: what it asks for is the explorer's, but no cluster of it stands in
   * the address. */
  stateOf() {
    const { explorer } = this;
    const its = ["open", "besides", "cutAt", "shadeBy", "likenBy"].map((name) => [name, explorer[name].bind(explorer)]);
    return Object.assign(Object.create(explorer), Object.fromEntries(its), { chose() {} });
  }

  /** Open the second neuron, and put the open one in its place. */
  swap() {
    const { row } = this.explorer;
    const second = this.row;
    this.show(row);
    this.explorer.open(second);
  }

  /** Show the cut and the colors that the explorer has, and what the two neurons have in common. */
  follow = () => {
    if (!this.view) return;
    this.view.follow({ ...this.explorer.place, cluster: null });
    this.view.draw(); // it may not have been on the page before
    const first = this.explorer.view;
    if (!first || first.compared === this.view) return;
    first.compared = this.view;
    this.common.hidden = false;
    this.common.replaceChildren(...this.describe(first));
  };

  describe(first) {
    const { overview } = this.explorer;
    const { places, words } = inCommon(first.data, this.view.data);
    const names = `${overview.name(first.row)} and ${overview.name(this.row)}`;
    const { context, word: noun, counted, outlined } = overview.called;
    const number = (of) => (places ? count(places, of) : `no ${of}`);
    const same = `${names} have ${outlined ? `${number("example")} at the same place of the text` : `${number(context)} in common`}`;
    if (!counted) return [`${same}.`];
    if (!words.length) return [`${same}, and no ${noun} in common.`];
    const shown = words.slice(0, WORDS).flatMap(([word, a, b]) => [
      wordChip(word),
      element("span", { class: "nk-times" }, [`×${a}, ×${b}`]),
    ]);
    return [`${same}, and ${count(words.length, noun)} in common: `, ...shown, ...(words.length > WORDS ? ["…"] : [])];
  }

  draw() {
    this.view?.draw();
  }
}
