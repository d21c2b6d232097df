// Search by word: which features answer to a phrase. Phrases lie sorted in shards, so one or two hold what begins alike.

const COMPLETIONS = 12;
const MOST_SHARDS = 3; // shards that are read for longer phrases

/** A phrase as the index has it: lower case, single spaces. */
export function normalized(text) {
  return text.toLowerCase().replace(/\s+/gu, " ").trim();
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
 * @returns {Promise<{phrase: string, hits: {feature: number, count: number}[], longer: [string, number][]}>} `longer`:
 *    phrases that begin with it and how many features have them, the most frequent first */
export async function searchPhrase(first, load, text) {
  const phrase = normalized(text);
  const result = { phrase, hits: [], longer: [] };
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
