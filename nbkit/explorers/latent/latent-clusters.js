// The feature clusters of a unit's examples as cards, the largest first.

import { button, element, rove } from "../shared/elements.js";
import { activationsOn, averageImage, digitCounts, product } from "./latent-data.js";
import { drawnCanvas, grayPixels, rangeText, signedPixels } from "./pixel-maps.js";
import { count, number } from "../shared/snippets.js";

const FIRST_CLUSTERS = 6;
const FIRST_IMAGES = 12;
const HUE_COUNT = 10; // --hue-0 … --hue-9 in the style sheet, used in turn

export class LatentClusters {
  /** @param explorer the state that it shows and changes (latent.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.title = element("p", { class: "nk-title" });
    this.cards = element("div", { class: "nk-cards" });
    this.root = element("section", { "aria-label": "Feature clusters" }, [this.title, this.cards]);
  }

  /** Show the clusters of the unit that is open. */
  showUnit() {
    const { view, unit, unitName } = this.explorer;
    this.clusters = view.clusters(unit);
    const examples = this.clusters.reduce((sum, images) => sum + images.length, 0);
    const name = `${unitName[0].toUpperCase()}${unitName.slice(1)}`;
    const none = view.examples(unit).length ? "its embeddings have no direction" : "no test image activates it";
    this.title.textContent = examples
      ? `${name}: ${count(examples, "example")} in ${count(this.clusters.length, "feature cluster")}`
      : `${name}: ${none}, so there are no feature clusters`;
    this.map = view.map(unit);
    this.cards.replaceChildren();
    this.deal(FIRST_CLUSTERS);
  }

  /** Show clusters up to a number, and a button for the others. */
  deal(until) {
    this.cards.querySelector(":scope > button")?.remove();
    const from = this.cards.children.length;
    const shown = this.clusters.slice(from, until);
    this.cards.append(...shown.map((images, k) => this.makeCard(images, from + k)));
    const hidden = this.clusters.length - this.cards.children.length;
    if (hidden <= 0) return;
    const more = button({ class: "nk-button" }, [`Show ${count(hidden, "more cluster")}`], () => {
      this.deal(Infinity);
      this.cards.children[from + shown.length].querySelector("[role=option]").focus();
    });
    this.cards.append(more);
  }

  makeCard(images, place) {
    const { data, view, unit } = this.explorer;
    const total = this.clusters.reduce((sum, cluster) => sum + cluster.length, 0);
    const activations = activationsOn(data, view, unit, images);
    const order = images.map((_, k) => k).sort((a, b) => activations[b] - activations[a]);
    const ranked = order.map((k) => [images[k], activations[k]]);
    const average = averageImage(data, images);
    const weighted = product(average, this.map);
    const digits = digitCounts(data, images).map(([digit, n]) => `${digit}\u00a0×${n}`);
    const card = element("div", { class: "nk-card", role: "group", "aria-label": `Cluster ${place + 1}` }, [
      element("p", { class: "nk-head" }, [
        element("span", { class: "nk-hidden" }, ["Cluster "]),
        element("span", { class: "nk-badge" }, [String(place + 1)]),
        `${count(images.length, "example")}, ${Math.round((100 * images.length) / total)}%`,
      ]),
      element("p", { class: "nk-about" }, [`Digits: ${digits.join(", ")}`]),
      element("div", { class: "nk-pair" }, [
        this.makeFigure("Average", grayPixels(average), "gray"),
        this.makeFigure("Average × map", signedPixels(weighted), "signed", rangeText(weighted)),
      ]),
    ]);
    card.style.setProperty("--color", images.length === 1 ? "var(--alone)" : `var(--hue-${place % HUE_COUNT})`);
    this.addExamples(card, ranked, FIRST_IMAGES, place);
    return card;
  }

  makeFigure(title, pixels, kind, text = "") {
    const caption = element("figcaption", {}, [title, element("span", {}, [text])]);
    return element("figure", {}, [drawnCanvas(pixels, kind), caption]);
  }

  addExamples(card, ranked, until, place) {
    const name = `Examples of cluster ${place + 1}, the strongest first`;
    const list = element("div", { class: "nk-examples", role: "listbox", "aria-label": name });
    list.append(...ranked.slice(0, until).map(([i, activation], k) => this.makeExample(i, activation, k)));
    rove(list, { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }, (example) => example.click());
    card.append(list);
    if (ranked.length <= FIRST_IMAGES) return;
    const all = until > FIRST_IMAGES;
    const text = all ? "Show fewer" : `Show all ${ranked.length}`;
    const toggle = button({ class: "nk-button", "aria-expanded": all }, [text], () => {
      list.remove();
      toggle.remove();
      this.addExamples(card, ranked, all ? FIRST_IMAGES : Infinity, place);
      card.lastChild.focus();
    });
    card.append(toggle);
  }

  makeExample(i, activation, k) {
    const { data } = this.explorer;
    const label = `Test image ${data.numbers[i]}, digit ${data.labels[i]}, activation ${number(activation)}`;
    const attributes = { role: "option", "aria-selected": false, "aria-label": label, tabindex: k ? -1 : 0 };
    const example = element("div", { class: "nk-example", title: `${label}; put it on the pad`, ...attributes }, [
      drawnCanvas(grayPixels(data.image(i)), "gray"),
      element("b", {}, [String(data.labels[i])]),
      element("span", {}, [String(Number(activation.toPrecision(2)))]),
    ]);
    example.addEventListener("click", () => {
      for (const other of this.cards.querySelectorAll("[aria-selected=true]")) other.setAttribute("aria-selected", false);
      example.setAttribute("aria-selected", true);
      this.explorer.answers.load(i, true);
    });
    return example;
  }
}
