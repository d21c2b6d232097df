// Examples from the bands of activation below the dataset examples. Who reads examples near the maximum only can take a part
// of a neuron for the whole.

import { element } from "../shared/elements.js";
import { count, directionOf, exampleElements, number, wordsFor } from "../shared/snippets.js";

/** The examples of the bands that have any, as lists. */
export function levelExamples(levels, max) {
  return levels
    .filter(({ data }) => data.keys.length)
    .map(({ low, high, count: n, data }) => {
      const share = `${Math.round((100 * low) / max)} to ${Math.round((100 * high) / max)}% of the maximum`;
      const title = `Activation ${number(low)} to ${number(high)}, ${share}: ${count(n, wordsFor(data).context)}`;
      return exampleBand(title, data);
    });
}

/** All examples as a list under a title. */
export function exampleBand(title, data) {
  const examples = data.keys.map((key, example) =>
    element("li", { class: "nk-snippet", dir: directionOf(data, example) }, [
      element("span", { class: "nk-value", dir: "ltr" }, [number(data.activations[example][key])]),
      ...exampleElements(data, example),
    ]),
  );
  return element("div", { class: "nk-band" }, [element("p", { class: "nk-part" }, [title]), element("ol", {}, examples)]);
}
