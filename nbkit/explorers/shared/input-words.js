// What sentences call the inputs of an atlas: a language model's text, or images, windows of tokens, texts and labels.

/** @typedef {{context: string, inputs: string, key: string, word: string, sought: string | null, found: string,
 *    outlined: string | null, apart?: boolean, counted: boolean, place: (context: number, position: number) => string}} InputWords
 *  One input (a `context`), and `inputs` at a sentence's beginning; what stands at the key position, and what such `key`s
 *  are compared by; what can be `sought`, and where it was not `found`; what is `outlined`; whether tokens stand
 *  `apart`, since they need not bring spaces; whether keys are `counted`, since they recur; and where an example is. */

const OF_TEXT = {
  context: "context",
  inputs: "Text",
  key: "key token",
  word: "key word",
  sought: "a word",
  found: "at its key token",
  outlined: "key token",
  counted: true,
  place: (context, position) => `context ${context}, position ${position}`,
};

const OF_WINDOWS = {
  ...OF_TEXT,
  context: "window",
  inputs: "Windows",
  apart: true,
  place: (window, position) => `window ${window}, position ${position}`,
};

const OF_TEXTS = {
  context: "text",
  inputs: "Texts",
  key: "text",
  word: "text",
  sought: "a text", // as a whole, if it is as short as a phrase
  found: "among its texts",
  outlined: null,
  counted: false,
  place: (text) => `text ${text}`,
};

const OF_LABELS = {
  context: "input",
  inputs: "Inputs",
  key: "label",
  word: "label",
  sought: "a label",
  found: "among its labels",
  outlined: null,
  counted: true,
  place: (input) => `input ${input}`,
};

const OF_IMAGES = { ...OF_LABELS, context: "image", inputs: "Images", place: (image) => `image ${image}` };

/** Images of which nothing is known but their number. */
const UNLABELED = { ...OF_IMAGES, key: "image", sought: null, counted: false };

/** The words for inputs of a kind, as a manifest names it; of images, `labeled` or not.
 * @returns {InputWords} */
export function inputWords(kind = "text", labeled = true) {
  if (kind === "images" && !labeled) return UNLABELED;
  return { text: OF_TEXT, tokens: OF_WINDOWS, texts: OF_TEXTS, labels: OF_LABELS, images: OF_IMAGES }[kind];
}
