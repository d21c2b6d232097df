// What the examples of two neurons have in common. Pure functions, no page needed.

/** Of two neurons' examples (atlas-data.js): at how many places of the text both have one, or of how many images, and the words
 * that are key tokens of both, spaces and case aside, as [word, examples of the one, examples of the other], the most frequent first.
 * @returns {{places: number, words: [string, number, number][]}} */
export function inCommon(one, other) {
  const place = (data) => data.contexts.map((context, i) => (data.pictures ? context : `${context}:${data.positions[i]}`));
  const places = new Set(place(one));
  const [mine, theirs] = [keyWords(one), keyWords(other)];
  const words = [...mine].filter(([word]) => theirs.has(word)).map(([word, n]) => [word, n, theirs.get(word)]);
  words.sort((a, b) => Math.min(b[1], b[2]) - Math.min(a[1], a[2]) || b[1] + b[2] - a[1] - a[2]);
  return { places: place(other).filter((each) => places.has(each)).length, words };
}

function keyWords({ tokens, keys, vocabulary }) {
  const counts = new Map();
  tokens.forEach((of, example) => {
    const word = vocabulary[of[keys[example]]].trim().toLowerCase();
    counts.set(word, (counts.get(word) ?? 0) + 1);
  });
  return counts;
}
