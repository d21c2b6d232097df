// A neuron as text to paste and as a file to keep.

import { CUT } from "./atlas-links.js";
import { examplePieces, holdsKey, number, tokenText } from "../shared/snippets.js";

/** An example as it is read, what its key token has a part in in brackets. */
function textOf(data, example) {
  return examplePieces(data, example)
    .map((piece) => (holdsKey(data, example, piece) ? `[${piece.text}]` : piece.text))
    .join("");
}

/** The clusters of the present cut with all their examples, for a message or a note. */
export function neuronAsText({ explorer, row, data, clusters }) {
  const { overview } = explorer;
  const lines = [`${overview.model}, ${overview.name(row)}: ${data.n} examples from ${overview.corpus}`];
  for (const [place, cluster] of (clusters?.clusters ?? []).entries()) {
    const members = clusters.cards.members(cluster);
    lines.push("", `Cluster ${place + 1} of the cut at ${explorer.threshold.toFixed(2)}, ${members.length} examples`);
    for (const example of members) {
      lines.push(lineOf(data, example));
    }
  }
  if (!clusters) lines.push(...data.keys.map((_, example) => lineOf(data, example)));
  return lines.join("\n");
}

function lineOf(data, example) {
  return `  ${number(data.activations[example][data.keys[example]])}  ${textOf(data, example)}`;
}

/** All that the explorer knows of a neuron. */
export function neuronAsJson({ explorer, row, data, clusters }) {
  const { overview } = explorer;
  const labels = clusters ? Array.from(clusters.label.subarray(0, data.n)) : [];
  const texts = (examples, example) => Array.from(examples.tokens[example], (_, i) => tokenText(examples, example, i));
  const described = (examples) =>
    examples.keys.map((key, example) => ({
      context: examples.contexts[example],
      position: examples.positions[example],
      key,
      text: textOf(examples, example),
      tokens: texts(examples, example),
      activations: Array.from(examples.activations[example]),
    }));
  const importance = (example) => Array.from(data.importance.get(example) ?? []);
  const neuron = {
    model: overview.model,
    corpus: overview.corpus,
    layer: overview.layer(row),
    neuron: overview.index(row),
    metrics: Object.fromEntries(overview.metrics.map(({ name, values }) => [name, values[row]])), // NaN becomes null
    metrics_at: CUT,
    threshold: explorer.threshold,
    examples: described(data).map((example, i) => ({ cluster: labels[i] + 1, ...example, importance: importance(i) })),
    tree: { pairs: data.pairs, heights: data.heights },
    strongest: data.strongest.map(({ example, other, near, distance }) =>
      example === undefined ? { ...described(data.stronger)[other], nearest_example: near, distance } : { example },
    ),
    levels: data.levels.map(({ low, high, count, data: some }) => ({ low, high, count, examples: described(some) })),
    logit_effects: data.effects,
  };
  return `${JSON.stringify(neuron, null, 1)}\n`;
}

/** Copy a text; whether that went well. Where the clipboard is closed to pages, the old way. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/** Let the reader keep a text as a file. */
export function saveFile(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
