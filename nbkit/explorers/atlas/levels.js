// Examples from the bands of activation below the dataset examples. Who reads examples near the maximum only can take a part
// of a neuron for the whole.

import { element } from "../shared/elements.js";
import { signWords } from "../shared/sign.js";
import { count, directionOf, exampleElements, number, wordsFor } from "../shared/snippets.js";

/** The examples of the bands that have any, as lists. */
export function levelExamples(levels, max) {
  const told = (band, { maximum, mark }) => {
    const share = `${Math.round((100 * band.low) / max)} to ${Math.round((100 * band.high) / max)}% of ${maximum}`;
    return `Activation ${mark}${number(band.low)} to ${mark}${number(band.high)}, ${share}`;
  };
  return levels
    .filter(({ data }) => data.keys.length)
    .map((band) => {
      const { count: n, data } = band;
      return exampleBand(`${told(band, signWords(data.sign))}: ${count(n, wordsFor(data).context)}`, data);
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
