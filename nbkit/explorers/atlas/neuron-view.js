// One neuron of an atlas: its metrics, how strongly and on what it answers, what it writes, and its feature clusters.

import { activationHistogram } from "./activation-histogram.js";
import { featureNodes } from "./atlas-data.js";
import { fixed } from "../shared/axis.js";
import { barList } from "../shared/bars.js";
import { ClusterView } from "../shared/cluster-view.js";
import { button, element, folded } from "../shared/elements.js";
import { exampleBand, levelExamples } from "./levels.js";
import { neuronAsJson, neuronAsText } from "./neuron-export.js";
import { copyText, saveFile } from "../shared/hand-over.js";
import { count, number, percent } from "../shared/snippets.js";
import { quadrantShares } from "../shared/quadrants.js";
import { signWords } from "../shared/sign.js";
import { OwnText } from "./own-text.js";
import { agreementPart, agreementSentence, clusteredBy, kindText, similarPart } from "./similar-view.js";
import { StrongestView } from "./strongest-view.js";
import { wordChip } from "../shared/word.js";

/** Why a unit has no clusters. */
const UNCLUSTERED = {
  silent: (unit, context) => `No ${context} of this corpus activates the ${unit} enough: it has no examples and no clusters.`,
  infinite: (unit) => `Activations of this ${unit} are not finite: it has no examples and no clusters.`,
  undirected: (unit) =>
    `The embeddings of this ${unit} have no direction, as those of a ${unit} whose input weights are zeros: no distance ` +
    "between its examples is defined, and it has no clusters.",
};

/** A part of the view under a title. */
function part(title, ...content) {
  return element("div", {}, [element("p", { class: "nk-part" }, [title]), ...content]);
}

export class NeuronView {
  /** @param explorer the state that it shows and changes (atlas.js)
   * @param row the neuron
   * @param data what atlas-data.js reads of it
   * @param actions elements that stand behind its name, in the place of those of the open neuron */
  constructor(explorer, row, data, actions) {
    Object.assign(this, { explorer, row, data, second: actions !== undefined });
    const { overview } = explorer;
    const name = overview.title(row);
    this.unit = overview.site(row).unit;
    this.cut = overview.cutOf(row);
    this.called = overview.called;
    this.sought = signWords(overview.sign);
    this.title = element("p", { class: "nk-title", tabindex: -1 }, [name]);
    this.said = element("p", { class: "nk-about", role: "status" });
    this.root = element("section", { class: "nk-neuron", "aria-label": name }, [
      element("div", { class: "nk-tools" }, [this.title, ...(actions ?? this.makeActions()), this.said]),
      ...this.makeReason(),
      ...this.makeQuadrants(),
      this.makeTiles(),
      ...(actions || !this.hasModel ? [] : [(this.ownText = new OwnText(this)).root]),
      ...(data.clustered ? this.makeClusters() : this.makeUnclustered()),
      this.makePlots(),
    ]);
  }

  /** Whether a kernel answers that has the model. */
  get hasModel() {
    return this.explorer.store.live && this.explorer.model.get("has_model");
  }

  makeActions() {
    const tell = (text, done) => async () => {
      this.said.textContent = (await copyText(text())) ? done : "The browser does not let a page copy here.";
    };
    const { explorer } = this;
    const link = explorer.linked ? "Copy link" : "Copy as code";
    const file = `${explorer.overview.inAddress(this.row)}.json`;
    const copyFrame = tell(() => explorer.address.frame, "Copied: paste it into a page.");
    const share = folded("Share", [
      element("div", {}, [
        button({ class: "nk-link" }, [link], tell(() => explorer.address.link, "Copied.")),
        button({ class: "nk-link" }, ["Copy as text"], tell(() => neuronAsText(this), "Copied.")),
        ...(explorer.linked ? [button({ class: "nk-link" }, ["Copy frame"], copyFrame)] : []),
        button({ class: "nk-link" }, ["Download JSON"], () => saveFile(file, neuronAsJson(this))),
      ]),
    ]);
    share.className = "nk-share";
    const close = () => share.removeAttribute("open");
    share.addEventListener("click", ({ target }) => target.closest("button") && close());
    share.addEventListener("focusout", ({ relatedTarget }) => relatedTarget && !share.contains(relatedTarget) && close());
    share.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !share.open) return;
      close();
      share.querySelector("summary").focus();
    });
    return [share, button({ class: "nk-button" }, ["Keep beside"], () => explorer.besides(this.row))];
  }

  /** Why this unit is shown among others, if it is, and whether its key tokens stand without a sentence before them. */
  makeReason() {
    const { data, explorer, row } = this;
    const reasons = explorer.overview.featured.filter(([shown]) => shown === row);
    const split = explorer.overview.oneWord(row);
    const first = data.positions.filter((position) => position <= 1).length;
    return [
      ...(this.sought.sought ? [this.sought.sought] : []),
      ...reasons.map(([, sentence]) => `One to begin with. ${sentence}`),
      ...(!explorer.overview.inputs && first > data.n / 10 ? [`${first} of its ${count(data.n, "example")} begin their context: it may answer to that.`] : []),
      ...(split ? [this.splitSentence(split)] : []),
    ].map((text) => element("p", { class: "nk-about" }, [text]));
  }

  splitSentence({ clusters, sets, examples, share }) {
    const { unit, units } = this.explorer.overview.words;
    const found = `of ${sets} sets of ${examples} examples of one ${unit} on one word (from ${units} that answer to one word often), ${percent(share)} make as many or more`;
    return `${clusters} clusters at ${this.cut}. A single behavior may fall apart, too: ${found}; a behavior wider than a word does more often.`;
  }

  /** In which quadrants a gated neuron's examples lie. */
  makeQuadrants() {
    const { quadrants, keys } = this.data;
    if (!quadrants) return [];
    const text = `Sides of zero of its gate and up branch: ${quadrantShares(quadrants, [...keys.keys()])} of its examples.`;
    return [element("p", { class: "nk-about nk-quadrants" }, [text])];
  }

  makeTiles() {
    const { metrics, max_examples: most } = this.explorer.overview;
    const tiles = metrics.map(({ name, label, values }) => {
      const value = values[this.row];
      const all = name === "n_examples" && value === most ? "first " : ""; // more are not kept
      return element("div", {}, [
        element("dt", {}, [label]),
        element("dd", {}, [Number.isNaN(value) ? "–" : all + number(value)]),
      ]);
    });
    return element("dl", { class: "nk-tiles" }, tiles);
  }

  makePlots() {
    const { levels, effects } = this.data;
    const parts = [];
    if (levels.length) {
      const from = this.data.max * this.explorer.overview.threshold;
      parts.push(part("How strongly it answers", activationHistogram(levels, from, this.called.context, this.explorer.overview.sign)));
    }
    if (effects) {
      const all = [...effects.promoted, ...effects.suppressed].map(([, effect]) => Math.abs(effect));
      const bars = (rows, name) =>
        barList(
          rows.map(([token, effect]) => [wordChip(token), effect, fixed(effect, 2)]),
          { name, largest: Math.max(...all) },
        );
      const below = this.sought.sought !== null; // there its output is turned around
      const titles = ["Tokens it promotes", "Tokens it suppresses"].map((title) => title + (below ? " above zero" : ""));
      parts.push(part(titles[0], bars(effects.promoted, titles[0])));
      parts.push(part(titles[1], bars(effects.suppressed, titles[1])));
      if (below) parts.push(element("p", { class: "nk-about" }, ["Below zero it suppresses what it promotes above, and promotes what it suppresses."]));
    }
    return element("div", { class: "nk-plots" }, parts);
  }

  makeClusters() {
    const { data } = this;
    this.features = featureNodes(data, this.cut);
    this.clusters = new ClusterView(data, this.makeHost());
    this.remarks = element("p", { class: "nk-about", role: "status" });
    this.shadeChoice = this.makeShadeChoice();
    this.kindChoice = this.makeKindChoice();
    this.strongest = new StrongestView(data);
    this.agreement = agreementPart(this.explorer.overview);
    const lower = levelExamples(data.levels, data.max);
    const weighed = !this.explorer.overview.inputs; // only a language model tells what a token was worth
    return [
      element("div", { class: "nk-tools" }, [...(weighed ? [this.shadeChoice] : []), this.kindChoice]),
      ...(this.called.counted ? [this.agreement] : []),
      element("p", { class: "nk-about" }, [clusteredBy(this.explorer.overview, this.cut)]),
      this.remarks,
      element("div", { class: "nk-dendrogram" }, this.clusters.parts),
      this.strongest.root,
      ...(lower.length ? [folded(`${this.called.inputs} at ${this.sought.weaker} activation`, lower)] : []),
    ];
  }

  /** Why there are no clusters, and what examples there are. */
  makeUnclustered() {
    const { data } = this;
    if (!data.n) return [element("p", {}, [UNCLUSTERED[Number.isNaN(data.max) ? "infinite" : "silent"](this.unit, this.called.context)])];
    const lower = levelExamples(data.levels, data.max);
    return [
      element("p", {}, [UNCLUSTERED.undirected(this.unit)]),
      exampleBand(count(data.n, "example"), data),
      ...(lower.length ? [folded(`${this.called.inputs} at ${this.sought.weaker} activation`, lower)] : []),
    ];
  }

  makeHost() {
    const { explorer } = this;
    return {
      get threshold() {
        return explorer.threshold;
      },
      cutAt: (threshold) => explorer.cutAt(threshold),
      cardsOf: this.second ? `, ${explorer.overview.name(this.row)}` : undefined,
      chose: (place) => explorer.chose(place),
      cardParts: (cluster) => this.makeSimilar(cluster),
    };
  }

  makeShadeChoice() {
    const choice = element("select", {}, [
      element("option", { value: "activation" }, ["activation"]),
      element("option", { value: "importance" }, ["token importance"]),
    ]);
    choice.addEventListener("change", () => this.explorer.shadeBy(choice.value));
    return element("label", {}, ["Color tokens by ", choice]);
  }

  makeKindChoice() {
    const { kinds, usual, words } = this.explorer.overview;
    const choice = element("select", {}, kinds.map((kind) => element("option", { value: kind }, [kindText(kind, words)])));
    choice.addEventListener("change", () => this.explorer.likenBy(choice.value === kinds[usual] ? null : choice.value));
    return element("label", {}, ["Similar features by ", choice]);
  }

  /** What a card says of similar features: they belong to the clusters at the survey's cut. */
  makeSimilar(cluster) {
    const place = this.features.indexOf(cluster);
    return place < 0 ? [] : [similarPart(this.explorer, this.row, place)];
  }

  /** Say what the reader may miss: importance that is not known, similar features of another cut. */
  remark() {
    const { data, explorer } = this;
    const known = data.importance.size;
    const kept = known ? `It is known here for ${count(known, "example")} of ${data.n}` : `It is not known for this ${this.unit}`;
    const importance = `${kept}: a page has what was computed before.`;
    const similar = `Similar features belong to the clusters at ${this.cut.toFixed(2)}.`;
    this.remarks.textContent = [
      ...(data.shade === "importance" && known < data.n ? [`Token importance: ${importance}`] : []),
      ...(explorer.threshold === this.cut ? [] : [similar]),
    ].join(" ");
  }

  /** Show the threshold, the colors, the cluster and the kind of likeness that the explorer has. */
  follow({ shade, cluster, kind }) {
    if (!this.data.clustered) return;
    this.clusters.regroup();
    this.strongest.follow(this.clusters, this.explorer.threshold);
    this.ownText?.judge();
    this.shadeChoice.querySelector("select").value = shade;
    if (this.data.shade !== shade) {
      this.data.shade = shade;
      this.clusters.shade();
    }
    if (this.kind !== kind) {
      this.kind = kind;
      const { overview } = this.explorer;
      this.kindChoice.querySelector("select").value = overview.kinds[overview.kindOf(kind)];
      this.agreement.querySelector("summary").textContent = agreementSentence(overview, overview.kindOf(kind));
      for (const open of this.root.querySelectorAll(".nk-similar[open]")) open.dispatchEvent(new Event("toggle"));
    }
    this.remark();
    const node = this.clusters.clusters[cluster - 1] ?? null;
    if (node !== this.clusters.chosen) this.clusters.choose(node);
  }

  /** Ask a kernel that has the model for the importance of the examples that have none yet. */
  async weigh() {
    const { data, explorer, row } = this;
    if (!data.clustered || !this.hasModel) return;
    const examples = Array.from({ length: data.n }, (_, i) => i).filter((i) => !data.importance.has(i));
    if (!examples.length) return;
    this.said.textContent = "Computing token importance …";
    try {
      const { values } = await explorer.store.ask({ kind: "importance", row, examples });
      examples.forEach((example, i) => data.importance.set(example, values[i]));
      this.said.textContent = "";
      this.clusters.shade();
      this.remark();
    } catch (error) {
      this.said.textContent = `Token importance: ${error.message}.`;
    }
  }

  /** The card of the cluster that stands out, if one does. */
  chosenCard() {
    const chosen = this.clusters?.chosen ?? null;
    return chosen === null ? null : this.clusters.cards.find(chosen);
  }

  /** Draw what depends on the width that there is. */
  draw() {
    if (this.data.clustered) this.clusters.draw();
  }
}
