// Search by word: which features answer to a phrase. Phrases lie sorted in shards, so one or two hold what begins alike.

const COMPLETIONS = 12;
const MOST_SHARDS = 3; // shards that are read for longer phrases

const LONGEST_RUN = 4; // characters of a script without spaces, of unspaced.py
const UNSPACED = new RegExp(
  `[${"Han Hiragana Katakana Bopomofo Thai Lao Khmer Myanmar Javanese Balinese Tai_Tham"
    .split(" ")
    .map((script) => `\\p{Script=${script}}`)
    .join("")}ー々〆]`,
  "u",
);
const OPTIONAL =
  /[\u200c\ufe0e\ufe0f\u064b-\u0652\u0670\u0640\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]|(?<=i)\u0307/gu; // of words.py
const clustersOf = new Intl.Segmenter("und", { granularity: "grapheme" });

/** A phrase as the index has it: lower case, composed, single spaces, without what some write and others don't. */
export function normalized(text) {
  const plain = text.toLowerCase().replace(/\s+/gu, " ").trim();
  return plain.replace(OPTIONAL, "").normalize("NFC");
}

/** The longest runs of characters that the index has of a phrase in a script without spaces; none if it is a shorter
 * one, or of another script. */
export function runsOf(phrase) {
  const clusters = Array.from(clustersOf.segment(phrase), ({ segment }) => segment);
  if (clusters.length <= LONGEST_RUN || !clusters.every((cluster) => UNSPACED.test(cluster))) return [];
  return clusters.slice(LONGEST_RUN - 1).map((_, i) => clusters.slice(i, i + LONGEST_RUN).join(""));
}

/** The order of the index: by code points, where JavaScript would compare halves of a surrogate pair. */
export function byCodePoint(a, b) {
  const [one, other] = [Array.from(a), Array.from(b)];
  const differ = one.findIndex((char, i) => char !== other[i]);
  if (differ < 0) return one.length - other.length;
  if (differ >= other.length) return 1;
  return one[differ].codePointAt(0) - other[differ].codePointAt(0);
}

/** The first place in a sorted list whose entry is not before `wanted`. */
export function firstFrom(sorted, wanted) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byCodePoint(sorted[middle], wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What the index knows of a phrase.
 * @param first the first phrase of every shard
 * @param load gives the shard of a number
 * @returns {Promise<{phrase: string, hits: {feature: number, count: number}[], longer: [string, number][],
 *    parts: string[]}>} `longer`: phrases that begin with it and how many features have them, the most frequent first;
 *    `parts`: the runs of characters by which it was found, if it is too long to be found as it is */
export async function searchPhrase(first, load, text) {
  const phrase = normalized(text);
  const { hits, longer } = await lookUp(first, load, phrase);
  const runs = hits.length ? [] : runsOf(phrase);
  const found = await Promise.all(runs.map((run) => lookUp(first, load, run)));
  const most = new Map();
  for (const hit of found.flatMap((each) => each.hits)) {
    if (!(most.get(hit.feature)?.count >= hit.count)) most.set(hit.feature, hit);
  }
  const ranked = hits.length ? hits : [...most.values()].sort((a, b) => b.count - a.count || a.feature - b.feature);
  return { phrase, hits: ranked, longer, parts: runs.filter((_, i) => found[i].hits.length) };
}

async function lookUp(first, load, phrase) {
  const result = { hits: [], longer: [] };
  if (!phrase || !first.length) return result;
  const behind = firstFrom(first, phrase);
  const begin = Math.max(0, first[behind] === phrase ? behind : behind - 1);
  const end = Math.min(begin + MOST_SHARDS, first.length);
  for (let number = begin, more = true; more && number < end; number++) {
    const shard = await load(number);
    const { phrases } = shard.json;
    let at = firstFrom(phrases, phrase);
    for (; at < phrases.length && phrases[at].startsWith(phrase); at++) {
      const [from, to] = shard.start.subarray(at, at + 2);
      if (phrases[at] === phrase) {
        const place = (i) => ({ feature: shard.feature[from + i], count: shard.count[from + i] });
        result.hits = Array.from({ length: to - from }, (_, i) => place(i));
      } else result.longer.push([phrases[at], to - from]);
    }
    more = at === phrases.length;
  }
  result.longer.sort((a, b) => b[1] - a[1] || byCodePoint(a[0], b[0]));
  result.longer.length = Math.min(result.longer.length, COMPLETIONS);
  return result;
}
