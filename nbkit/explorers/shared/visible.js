// Characters that nobody sees, made visible, so that none can hide or reorder the text around it. As visible.py does.

const HIDDEN = /^[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]$/u;
const SHOWN_FORMATS = /^[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]$/u; // they have a shape
const JOINED = charactersIn(
  "Arabic Syriac Nko Mongolian Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Myanmar Khmer",
);
const FILLER = /^[\u115f\u1160\u3164\uffa0]$/u; // a missing part of a Korean syllable
const JAMO = /^[\u1100-\u115e\u1161-\u11ff]$/u;
const VARIATION = /^[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]$/u;
const LETTER = /^[\p{L}\p{M}]$/u;
const MARK = /^\p{M}$/u;
const TAG = /^[\u{e0020}-\u{e007f}]$/u;
const [BLACK_FLAG, CANCEL_TAG] = ["\u{1f3f4}", "\u{e007f}"];

/** A regular expression for one character of some scripts, named as Unicode does. */
export function charactersIn(scripts, flags = "") {
  const named = scripts.split(" ").map((script) => `\\p{scx=${script}}`);
  return new RegExp(`[${named.join("")}]`, `u${flags}`);
}

/** What is shown of each character of a text, given as code points. */
export function visibleCharacters(characters) {
  const kept = characters.map((_, i) => !hides(characters, i));
  return characters.map((char, i) => {
    if (!kept[i]) return shownAs(char);
    return MARK.test(char) && !(i && kept[i - 1]) ? `◌${char}` : char;
  });
}

/** Whether a character by itself has no shape, or is none. */
export function isHidden(char) {
  return (HIDDEN.test(char) && !SHOWN_FORMATS.test(char)) || FILLER.test(char);
}

function hides(characters, i) {
  if (VARIATION.test(characters[i])) return i > 0 && VARIATION.test(characters[i - 1]);
  return isHidden(characters[i]) && !isNeeded(characters, i);
}

function isNeeded(characters, i) {
  const char = characters[i];
  if (FILLER.test(char)) return characters.slice(Math.max(0, i - 1), i + 2).some((other) => JAMO.test(other));
  if (TAG.test(char)) return inFlag(characters, i);
  if (!"\u200c\u200d".includes(char) || i === 0 || i === characters.length - 1) return false;
  const around = [characters[i - 1], characters[i + 1]];
  if (char === "\u200c") return around.every((other) => JOINED.test(other) && LETTER.test(other));
  if (around[0] === CANCEL_TAG && inFlag(characters, i - 1)) around.shift();
  return !around.some((other) => /^\s$/u.test(other) || isHidden(other));
}

function inFlag(characters, i) {
  let start = i;
  while (start > 0 && i - start < 7 && TAG.test(characters[start])) start--;
  const tags = characters.slice(start + 1, start + 8);
  const ends = tags.indexOf(CANCEL_TAG);
  return characters[start] === BLACK_FLAG && ends > 0 && i - start - 1 <= ends && tags.slice(0, ends).every((tag) => TAG.test(tag));
}

function shownAs(char) {
  const code = char.codePointAt(0);
  const hex = code.toString(16).toUpperCase();
  if (char === "\n") return "↵";
  if (char === "\t") return "→";
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return code >= 0xdc80 && code <= 0xdcff ? `⟨${hex.slice(2)}⟩` : `⟨U+${hex.padStart(4, "0")}⟩`;
}
