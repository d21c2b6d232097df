// Which activations count, how much (as nbkit/models/sign.py has it), and what sentences call them. Pure functions, no page
// needed.

/** @typedef {"positive" | "negative" | "both"} Sign */

/** How much an activation counts: not at all below 0. */
export function strength(activation, sign = "positive") {
  if (sign === "positive") return activation;
  return sign === "negative" ? -activation : Math.abs(activation);
}

/** @typedef {{sought: string | null, where: string, extreme: string, maximum: string, bound: string, weaker: string,
 *    mark: string}} SignWords
 *  What a unit is looked at for, and `where`, if it is not as usual; what the strongest activation of a context is, what the
 *  `maximum` is of, and what an activation that does not count is a `bound` of; what examples of `weaker` activation are;
 *  and what stands before a strength that is told as an activation. */

const SIGN_WORDS = {
  positive: {
    sought: null,
    where: "",
    extreme: "highest activation",
    maximum: "its maximum",
    bound: "at most",
    weaker: "lower",
    mark: "",
  },
  negative: {
    sought: "Looked at below zero: its examples are where its activation is lowest.",
    where: " below zero",
    extreme: "lowest activation",
    maximum: "its lowest activation",
    bound: "at least",
    weaker: "weaker",
    mark: "−",
  },
  both: {
    sought: "Looked at on both sides of zero: its examples are where its activation is farthest from it, above or below.",
    where: "",
    extreme: "activation farthest from zero",
    maximum: "its activation farthest from zero",
    bound: "at most",
    weaker: "weaker",
    mark: "±",
  },
};

/** @returns {SignWords} */
export function signWords(sign = "positive") {
  return SIGN_WORDS[sign];
}
