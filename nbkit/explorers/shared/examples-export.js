// Examples as a file to keep.

import { jsonText } from "./hand-over.js";
import { QUADRANTS } from "./quadrants.js";
import { examplePieces, holdsKey, tokenText } from "./snippets.js";

/** An example as it is read, what its key token has a part in in brackets; of an image, which it is. */
export function exampleText(data, example) {
  if (data.pictures) return data.pictures.described(data, example);
  return examplePieces(data, example)
    .map((piece) => (holdsKey(data, example, piece) ? `[${piece.text}]` : piece.text))
    .join("");
}

/** All that is known of some examples by themselves. */
export function describedExamples(data) {
  return data.keys.map((key, example) => ({
    context: data.contexts[example],
    position: data.positions[example],
    key,
    text: exampleText(data, example),
    tokens: Array.from(data.tokens[example], (_, i) => tokenText(data, example, i)),
    activations: Array.from(data.activations[example]),
    ...(data.quadrants ? { quadrant: QUADRANTS[data.quadrants[example]] } : {}),
  }));
}

/** The examples of a tree with their clusters at the present cut. */
export function clustersAsJson({ data, label, threshold }) {
  const { title, sign, pairs, heights } = data;
  const examples = describedExamples(data).map((each, example) => ({ cluster: label[example] + 1, ...each }));
  return jsonText({ title, sign, threshold, examples, tree: { pairs, heights } });
}
