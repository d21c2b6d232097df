// Similar features of other units: those of one feature, and how far such neighbors behave alike in each space.

import { fixed } from "../shared/axis.js";
import { button, element, folded } from "../shared/elements.js";
import { agreementOf, besideChance, lessSimilar } from "./likeness.js";
import { pictureHeight } from "../shared/pictures.js";
import { percent } from "../shared/snippets.js";
import { wordChip } from "../shared/word.js";

const COLUMNS = [
  { scope: "same", measure: "words" },
  { scope: "other", measure: "words" },
  { scope: "same", measure: "response" },
];

function titleOf({ scope, measure }, { site, sites }, { word }) {
  return `${measure === "words" ? `${word}s shared` : "response"}, ${scope === "same" ? `same ${site}` : `other ${sites}`}`;
}

function meaning({ unit, site }, { word }) {
  return (
    `Of a feature and a similar one, their most central examples left out: how far the ${word}s of the others overlap, and ` +
    `how strongly the similar one's ${unit} answers to the others of the feature, as a share of its maximum. Below, a random ` +
    `feature of the same ${site} and about the same size in its place, and the 95% interval of the difference.`
  );
}

/** A kind of embedding in the words of an overview. */
export function kindText(kind, { reads }) {
  if (kind === "centered") return `${reads} minus its mean`;
  return kind === "pre_mlp" ? reads : `neuron embedding (${kind})`;
}

/** What the clusters of a unit are of, and where its tree is cut unless a reader or a page asks for another place. */
export function clusteredBy({ embedding, words }, cut) {
  const why = embedding === "centered" ? "one standard deviation below the mean distance of any two" : "as in the paper";
  return `Clustered by: ${kindText(embedding, words)}; the usual cut is at ${cut.toFixed(2)} (${why}).`;
}

/** What unfolds to the similar features of one feature.
 * @param explorer the state (atlas.js)
 * @param row the neuron
 * @param place of the feature among its neuron's */
export function similarPart(explorer, row, place) {
  const lists = element("div", { "aria-live": "polite" });
  const details = folded("Similar features", [lists]);
  details.className = "nk-similar";
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    lists.textContent = "Loading …";
    try {
      const { found, features, kind } = await explorer.similar(row, place);
      lists.replaceChildren(...explorer.overview.words.scopes.map((title, scope) => scopeList(explorer, { row, scope, kind }, title, found[scope], features)));
    } catch (error) {
      lists.textContent = error.message;
    }
  });
  return details;
}

function scopeList(explorer, { row, scope, kind }, title, found, features) {
  const { overview } = explorer;
  const layer = overview.places[row];
  const rows = found.map(([feature, cosine]) => {
    const other = features.row(feature);
    const compare = button({ class: "nk-link", "aria-label": `Compare with ${overview.name(other)}, side by side` }, ["compare"], () =>
      explorer.besides(other),
    );
    return element("li", {}, [
      element("div", {}, [
        explorer.featureLink(feature, features),
        ...(overview.images && !overview.called.counted ? [] : [wordChip(features.word(feature))]),
        compare,
      ]),
      ...(overview.images ? [medoidPicture(explorer, other, features.place(feature))] : []),
      element("div", { class: "nk-about" }, [
        `cosine ${besideChance(cosine, lessSimilar(overview.random, { kind, layer, scope, cosine }))}`,
      ]),
    ]);
  });
  const list = rows.length ? element("ul", {}, rows) : element("p", {}, ["none"]);
  return element("div", {}, [element("p", { class: "nk-part" }, [title]), list]);
}

/** The medoid of a feature of another unit, in its room from the beginning. */
function medoidPicture({ medoids, overview }, row, place) {
  const room = element("div", { class: "nk-medoids" });
  room.style.minHeight = `${pictureHeight(overview.images)}px`;
  const show = (known) => room.append(known.pictures.element(known, place));
  medoids.load(row).then(show, (error) => (room.textContent = error.message));
  return room;
}

/** How far neighbors of a kind agree, as a sentence: of the same site if that is known. */
export function agreementSentence({ kinds, agreement, called }, kind) {
  const [row] = agreementOf(agreement, kinds[kind], COLUMNS).filter((each) => each?.measure === "words");
  if (!row) return "How far similar features behave alike is not known here";
  return `Similar features share ${percent(row.neighbors)} of their ${called.word}s, random ones ${percent(row.random)}`;
}

/** What unfolds to the agreement of neighbors in each space, the usual one first. */
export function agreementPart(overview) {
  const { kinds, usual, agreement, words, called } = overview;
  const order = [kinds[usual], ...kinds.filter((_, kind) => kind !== usual)];
  const rows = order.map((kind) =>
    element("tr", {}, [
      element("th", { scope: "row" }, [kindText(kind, words)]),
      ...agreementOf(agreement, kind, COLUMNS).map(agreementCell),
    ]),
  );
  const heads = ["neighbors by", ...COLUMNS.map((column) => titleOf(column, words, called))].map((title) => element("th", { scope: "col" }, [title]));
  const table = element("table", { "aria-label": "How far neighbors agree" }, [element("thead", {}, [element("tr", {}, heads)]), element("tbody", {}, rows)]);
  const details = folded(agreementSentence(overview, usual), [
    element("p", { class: "nk-about" }, [meaning(words, called)]),
    table,
  ]);
  details.className = "nk-agreement";
  return details;
}

function agreementCell(row) {
  if (!row) return element("td", {}, ["not known"]);
  const points = (share) => (share < 0 ? "" : "+") + fixed(100 * share, 0);
  return element("td", {}, [
    element("b", {}, [percent(row.neighbors)]),
    element("div", { class: "nk-about" }, [`random ${percent(row.random)}; ${points(row.low)} to ${points(row.high)} points`]),
  ]);
}
