// An example on one line, its key token where those of the lines above and below stand (keyword in context).

import { element } from "./elements.js";
import { directionOf, tokenElements } from "./snippets.js";

/** One line of an example: what stands before the key token, the token, and what follows. What has no room fades out. */
export function keyLine(data, example) {
  const tokens = tokenElements(data, example);
  const key = tokens.findIndex((token) => token.classList.contains("nk-key"));
  const side = (name, some) => element("span", { class: name }, [element("span", {}, some)]);
  return element("span", { class: "nk-line", dir: directionOf(data, example) }, [
    side("nk-before", tokens.slice(0, key)),
    tokens[key],
    side("nk-after", tokens.slice(key + 1)),
  ]);
}
