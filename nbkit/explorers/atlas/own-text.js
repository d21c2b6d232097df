// A text of the reader's own, where a kernel has the model: the open neuron's activations on it, the cluster that its
// peak would fall into, and how sure that is.

import { barList } from "../shared/bars.js";
import { button, element } from "../shared/elements.js";
import { quadrantText } from "../shared/quadrants.js";
import { signWords, strength } from "../shared/sign.js";
import { count, directionOf, keyText, number, percent, tokenElements } from "../shared/snippets.js";

const TYPING_REST = 250; // ms without another key until the text is read
const NEAREST = 4; // clusters that are listed

/** The mean distance to the examples of each cluster, the nearest first, of equals the larger cluster.
 * @param distances to each example
 * @param label of each example its cluster, from 0
 * @returns {{place: number, distance: number}[]} */
export function clustersByDistance(distances, label) {
  const found = new Map();
  for (const [example, distance] of distances.entries()) {
    const sum = found.get(label[example]) ?? { place: label[example], total: 0, n: 0 };
    sum.total += distance;
    sum.n += 1;
    found.set(label[example], sum);
  }
  const means = [...found.values()].map(({ place, total, n }) => ({ place, distance: total / n }));
  return means.sort((a, b) => a.distance - b.distance || a.place - b.place);
}

export class OwnText {
  /** @param view the neuron that reads it (neuron-view.js) */
  constructor(view) {
    this.view = view;
    const { explorer } = view;
    this.field = element("input", { type: "text", maxlength: 2000, dir: "auto", placeholder: "Type a sentence" });
    this.field.value = explorer.ownText ?? ""; // it stays when another neuron is opened
    this.field.addEventListener("input", () => {
      clearTimeout(this.pending);
      this.pending = setTimeout(() => this.read(), TYPING_REST);
    });
    this.field.addEventListener("change", () => this.read());
    this.text = element("p", { class: "nk-typed" });
    this.said = element("p", { class: "nk-about", role: "status" });
    this.clusters = element("div");
    this.root = element("section", { class: "nk-own-text", "aria-label": "Your own text" }, [
      element("label", {}, [element("span", { class: "nk-part" }, ["Your own text"]), this.field]),
      this.text,
      this.said,
      this.clusters,
    ]);
    if (this.field.value) this.read();
  }

  /** Ask the kernel about the text, if it is another one. */
  async read() {
    clearTimeout(this.pending);
    const { explorer, row } = this.view;
    const text = this.field.value.trim();
    if (text === this.asked) return;
    this.asked = explorer.ownText = text;
    if (!text) return this.clear();
    try {
      const found = await explorer.store.ask({ kind: "text", name: `${row} ${text}`, row, text });
      if (text === this.asked) this.show(found);
    } catch (error) {
      if (text === this.asked) this.clear(`${error.message}.`);
    }
  }

  clear(message = "") {
    this.found = null;
    this.text.replaceChildren();
    this.clusters.replaceChildren();
    this.said.textContent = message;
  }

  /** Show an answer: each token with the activation on it. */
  show({ tokens: listed, activations, peak, share, distances, quadrant }) {
    const tokens = JSON.parse(listed);
    const data = {
      vocabulary: tokens,
      raw: { ...tokens },
      tokens: [tokens.map((_, i) => i)],
      activations: [activations],
      keys: [peak],
      largest: this.view.data.largest,
      sign: this.view.data.sign,
    };
    this.found = { activation: activations[peak], share, distances, quadrant, key: keyText(data, 0).trim() };
    this.text.dir = directionOf(data, 0);
    this.text.replaceChildren(
      ...tokenElements(data, 0).map((token) => {
        const value = token.title.replace("activation ", "").replace(/ .*/, "");
        return element("span", { class: "nk-read" }, [token, element("small", {}, [value])]);
      }),
    );
    this.judge();
  }

  /** Say how strong the peak is, and which cluster of the present cut is near to it. */
  judge() {
    if (!this.found) return;
    const { activation, share, distances, quadrant, key } = this.found;
    const { view } = this;
    const least = view.explorer.overview.threshold;
    this.clusters.replaceChildren();
    const { where, bound, maximum } = signWords(view.data.sign);
    if (!(strength(activation, view.data.sign) > 0)) {
      this.said.textContent = `The ${view.unit} is not active${where} on this text${activation ? `: ${bound} ${number(activation)}, on “${key}”` : ""}.`;
      return;
    }
    const reaches = share >= least ? "as strong as a dataset example" : `dataset examples have at least ${percent(least)}`;
    const peak = `Strongest on “${key}”: ${number(activation)}, ${percent(share)} of ${maximum} (${reaches})${quadrant ? `, ${quadrantText(quadrant)}` : ""}.`;
    this.said.textContent = peak;
    if (!distances || !view.clusters) return;
    const ranked = clustersByDistance(distances, view.clusters.label);
    const [nearest, second] = ranked;
    const cut = view.explorer.threshold;
    const joins = nearest.distance <= cut ? "would join it at this cut" : `farther than the cut at ${cut.toFixed(2)}: it would stand alone`;
    const margin = second ? `; the next is ${(second.distance - nearest.distance).toFixed(2)} farther` : "";
    this.said.textContent = `${peak} Nearest is cluster ${nearest.place + 1}, at mean distance ${nearest.distance.toFixed(2)} (${joins})${margin}.`;
    const rows = ranked
      .slice(0, NEAREST)
      .map(({ place, distance }) => [this.makeLink(place), distance, distance.toFixed(2)]);
    const name = `Mean distance to the nearest of ${count(ranked.length, "cluster")}`;
    const bars = barList(rows, { name, largest: 1 });
    ranked.slice(0, NEAREST).forEach(({ place }, i) => bars.children[i].style.setProperty("--plus", view.clusters.color(place)));
    this.clusters.replaceChildren(element("p", { class: "nk-about" }, [name]), bars);
  }

  makeLink(place) {
    const { clusters } = this.view;
    return button({ class: "nk-link" }, [`cluster ${place + 1}`], () => {
      const node = clusters.clusters[place];
      clusters.choose(node);
      clusters.cards.find(node).scrollIntoView({ block: "nearest" });
    });
  }
}
