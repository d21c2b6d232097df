// A neuron as text to paste and as a file to keep.

import { describedExamples, exampleText } from "../shared/examples-export.js";
import { jsonText } from "../shared/hand-over.js";
import { quadrantShares } from "../shared/quadrants.js";
import { signWords } from "../shared/sign.js";
import { kindText } from "./similar-view.js";
import { number } from "../shared/snippets.js";

/** The clusters of the present cut with all their examples, for a message or a note. */
export function neuronAsText({ explorer, row, data, clusters }) {
  const { overview } = explorer;
  const { sought } = signWords(overview.sign);
  const lines = [`${overview.model}, ${overview.name(row)}: ${data.n} examples from ${overview.corpus}`, ...(sought ? [sought] : [])];
  if (clusters) lines.push(`Clustered by: ${kindText(overview.embedding, overview.words)}`);
  for (const [place, cluster] of (clusters?.clusters ?? []).entries()) {
    const members = clusters.cards.members(cluster);
    lines.push("", `Cluster ${place + 1} of the cut at ${explorer.threshold.toFixed(2)}, ${members.length} examples${memberQuadrants(data, members)}`);
    for (const example of members) {
      lines.push(lineOf(data, example));
    }
  }
  if (!clusters) lines.push(...data.keys.map((_, example) => lineOf(data, example)));
  return lines.join("\n");
}

function memberQuadrants({ quadrants }, members) {
  return quadrants ? `; ${quadrantShares(quadrants, members)}` : "";
}

function lineOf(data, example) {
  return `  ${number(data.activations[example][data.keys[example]])}  ${exampleText(data, example)}`;
}

/** All that the explorer knows of a neuron. */
export function neuronAsJson({ explorer, row, data, clusters }) {
  const { overview } = explorer;
  const labels = clusters ? Array.from(clusters.label.subarray(0, data.n)) : [];
  const importance = (example) => Array.from(data.importance.get(example) ?? []);
  const neuron = {
    model: overview.model,
    corpus: overview.corpus,
    name: overview.title(row),
    layer: overview.layer(row),
    neuron: overview.index(row),
    sign: overview.sign,
    metrics: Object.fromEntries(overview.metrics.map(({ name, values }) => [name, values[row]])), // NaN becomes null
    embedding: overview.embedding,
    metrics_at: overview.cutOf(row),
    threshold: explorer.threshold,
    examples: describedExamples(data).map((example, i) => ({ cluster: labels[i] + 1, ...example, importance: importance(i) })),
    tree: { pairs: data.pairs, heights: data.heights },
    strongest: data.strongest.map(({ example, other, near, distance }) =>
      example === undefined ? { ...describedExamples(data.stronger)[other], nearest_example: near, distance } : { example },
    ),
    levels: data.levels.map(({ low, high, count, data: some }) => ({ low, high, count, examples: describedExamples(some) })),
    logit_effects: data.effects,
  };
  return jsonText(neuron);
}
