// An example on one line, its key token where those of the lines above and below stand (keyword in context).

import { element } from "./elements.js";
import { directionOf, tokenElements } from "./snippets.js";

/** One line of an example: what stands before the key token, and the token with what follows. What has no room fades out. Without a key token it is one text. */
export function keyLine(data, example) {
  const tokens = tokenElements(data, example);
  const key = tokens.findIndex((token) => token.classList.contains("nk-key"));
  if (key < 0) return element("span", { class: "nk-line nk-uncut", dir: directionOf(data, example) }, [element("span", { class: "nk-after" }, tokens)]);
  return element("span", { class: "nk-line", dir: directionOf(data, example) }, [
    element("span", { class: "nk-before" }, [element("span", {}, tokens.slice(0, key))]),
    element("span", { class: "nk-after" }, tokens.slice(key)),
  ]);
}
