// The contexts in which a neuron is most active, beside its dataset examples, which are the first in corpus order: what the
// first ones miss is seen here.

import { element, folded } from "../shared/elements.js";
import { count, directionOf, exampleElements, number, wordsFor } from "../shared/snippets.js";

/** What unfolds to the strongest contexts; `follow(clusters, threshold)` shows the clusters of a cut (cluster-view.js). */
export class StrongestView {
  /** @param data of the neuron (atlas-data.js) */
  constructor(data) {
    this.data = data;
    const missed = data.strongest.filter(({ example }) => example === undefined).length;
    const among = missed ? `${missed} not among its first ${count(data.n, "example")}` : "all among its examples";
    this.list = element("ol");
    this.root = folded(`Its ${count(data.strongest.length, `strongest ${wordsFor(data).context}`)}, ${among}`, [this.list]);
    this.root.className = "nk-strongest";
  }

  follow(clusters, threshold) {
    this.list.replaceChildren(...this.data.strongest.map((each) => this.row(each, clusters, threshold)));
  }

  row({ example, other, near, distance }, clusters, threshold) {
    const missed = example === undefined;
    const [some, at] = missed ? [this.data.stronger, other] : [this.data, example];
    const cluster = clusters.label[missed ? near : example];
    const far = missed && distance > threshold;
    const badge = element("span", { class: "nk-badge" }, [far ? "?" : String(cluster + 1)]);
    badge.style.setProperty("--color", far ? "var(--alone)" : clusters.color(cluster));
    const first = `not among the first ${this.data.n}`;
    const text = !missed
      ? `an example of cluster ${cluster + 1}`
      : far
        ? `${first}, and unlike all of them: the nearest is at distance ${distance.toFixed(2)}`
        : `${first}; the nearest, at distance ${distance.toFixed(2)}, is in cluster ${cluster + 1}`;
    return element("li", {}, [
      element("p", { class: "nk-about" }, [badge, ` activation ${number(some.activations[at][some.keys[at]])}, ${text}`]),
      element("p", { class: "nk-snippet", dir: directionOf(some, at) }, exampleElements(some, at)),
    ]);
  }
}
