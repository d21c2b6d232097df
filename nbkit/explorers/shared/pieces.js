// A run of tokens as the characters that it spells, cut where both a token and a character end. As pieces.py does.
//
// In a raw text a byte that is part of no whole character stands as a surrogate, U+DC80 to U+DCFF.

import { visibleCharacters } from "./visible.js";

const PLAIN = /^[ -~]*$/; // no character is shared
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const clusters = new Intl.Segmenter("und", { granularity: "grapheme" });

/** @typedef {{text: string, first: number, last: number, parts: {text: string, sign: string | null}[]}} Piece
 *  Characters that the tokens `first` to `last` spell. Its parts are the text itself and signs for something else, a
 *  byte alone or a character without a shape; `sign` says what for. */

/** What tokens spell, by their raw texts, none of them empty; all that the token `key` has a part in is one piece.
 * @returns {Piece[]} */
export function pieces(texts, key) {
  if (texts.every((text) => PLAIN.test(text))) {
    return texts.map((text, i) => ({ text, first: i, last: i, parts: [{ text, sign: null }] }));
  }
  const characters = spelled(texts);
  const shown = visibleCharacters(characters.map(({ char }) => char));
  const owners = shown.flatMap((text, owner) => Array(text.length).fill(owner)); // of each UTF-16 unit its character
  const holdsKey = ({ first, last }) => first <= key && key <= last;
  const found = [];
  for (const { segment, index } of clusters.segment(shown.join(""))) {
    const of = { first: characters[owners[index]].first, last: characters[owners[index + segment.length - 1]].last };
    const before = found.at(-1);
    const same = before?.first === of.first && before.last === of.last;
    if (same || (before && holdsKey(before) && holdsKey(of))) {
      before.last = Math.max(before.last, of.last);
      before.text += segment;
    } else found.push({ text: segment, ...of });
  }
  let at = 0;
  for (const piece of found) {
    piece.parts = partsOf(piece.text, owners.slice(at, (at += piece.text.length)), characters, shown);
  }
  return found;
}

function partsOf(text, owners, characters, shown) {
  const parts = [];
  for (let at = 0; at < text.length; at++) {
    const { char } = characters[owners[at]];
    const sign = shown[owners[at]].endsWith(char) ? null : char;
    const before = parts.at(-1);
    if (before?.sign === sign && (sign === null || owners[at] === owners[at - 1])) before.text += text[at];
    else parts.push({ text: text[at], sign });
  }
  for (const part of parts) part.sign &&= nameOf(part.sign.codePointAt(0));
  return parts;
}

function nameOf(code) {
  const hex = code.toString(16).toUpperCase();
  return isByte(code) ? `byte ${hex.slice(2)}, a part of a character` : `U+${hex.padStart(4, "0")}`;
}

function isByte(code) {
  return code >= 0xdc80 && code <= 0xdcff;
}

/** The code points that tokens spell, and lone bytes, each with the first and last token that has a part in it. */
function spelled(texts) {
  const found = [];
  let run = []; // bytes that follow one another
  texts.forEach((text, token) => {
    for (const char of text) {
      const code = char.codePointAt(0);
      if (isByte(code)) run.push({ byte: code & 0xff, token });
      else {
        found.push(...charactersOf(run), { char, first: token, last: token });
        run = [];
      }
    }
  });
  return [...found, ...charactersOf(run)];
}

function charactersOf(run) {
  const found = [];
  for (let at = 0; at < run.length; ) {
    const { byte } = run[at];
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    const bytes = run.slice(at, at + length);
    const char = whole(bytes.map((each) => each.byte));
    const parts = char ? bytes : [run[at]];
    found.push({ char: char ?? String.fromCharCode(0xdc00 + byte), first: run[at].token, last: parts.at(-1).token });
    at += parts.length;
  }
  return found;
}

/** The character of some bytes; undefined if they are none. */
function whole(bytes) {
  try {
    const text = utf8.decode(Uint8Array.from(bytes));
    return [...text].length === 1 ? text : undefined;
  } catch {
    return undefined;
  }
}
