// A token or a word by itself, in a frame that never breaks and never looks empty.

import { element } from "./elements.js";

const BLANK = /^[\s\u00a0]+$/;

/** A token as a chip. What is nothing but blanks is shown by signs for them. */
export function wordChip(text) {
  const blank = BLANK.test(text);
  const shown = blank || text === "" ? "␣".repeat(Math.max(1, text.length)) : text;
  const chip = element("code", { class: "nk-word", dir: "auto" }, [shown]);
  if (shown !== text) chip.title = text === "" ? "an empty token" : text.length === 1 ? "a space" : `${text.length} spaces`;
  return chip;
}
