// Distances of examples as a square of pixels, with the true behaviors outlined on its diagonal.

import { element, svg } from "../shared/elements.js";

const STEPS = 255; // of basis.py
const NEAR = [30, 115, 200]; // of the same contrast to light and to dark pages, so that nothing is drawn again

/** The place of the pair i < j among those of n examples, row by row. */
export function pairPlace(i, j, n) {
  return i * n - (i * (i + 1)) / 2 + j - i - 1;
}

/** All distances of n examples from those of the pairs, row by row. */
export function squareOf(pairs, n) {
  const square = new Uint8Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) square[i * n + j] = square[j * n + i] = pairs[pairPlace(i, j, n)];
  }
  return square;
}

/** Distances as RGBA: the nearer, the more opaque. */
export function nearPixels(square) {
  const pixels = new Uint8ClampedArray(4 * square.length);
  square.forEach((distance, i) => pixels.set([...NEAR, STEPS - distance], 4 * i));
  return pixels;
}

/** Mean distance of the pairs of one behavior, and of those of two. */
export function meanDistances(pairs, sizes) {
  const behavior = sizes.flatMap((size, number) => Array(size).fill(number));
  const [sums, counts] = [[0, 0], [0, 0]];
  let at = 0;
  for (let i = 0; i < behavior.length; i++) {
    for (let j = i + 1; j < behavior.length; j++, at++) {
      const across = Number(behavior[i] !== behavior[j]);
      sums[across] += pairs[at] / STEPS;
      counts[across] += 1;
    }
  }
  return { within: sums[0] / counts[0], between: sums[1] / counts[1] };
}

export class DistanceMatrix {
  /** @param sizes of the behaviors, in order */
  constructor(sizes) {
    const n = sizes.reduce((sum, size) => sum + size, 0);
    this.n = n;
    this.canvas = element("canvas", { width: n, height: n, role: "img" });
    let start = 0;
    const outlines = sizes.map((size) => {
      const box = svg("rect", { x: start, y: start, width: size, height: size }, []);
      start += size;
      return box;
    });
    const over = svg("svg", { viewBox: `0 0 ${n} ${n}`, "aria-hidden": "true" }, outlines);
    this.root = element("div", { class: "nk-matrix" }, [this.canvas, over]);
  }

  /** @param pairs distances of the pairs, row by row
   * @param said what is to be seen, in words */
  show(pairs, said) {
    const { n, canvas } = this;
    canvas.getContext("2d").putImageData(new ImageData(nearPixels(squareOf(pairs, n)), n, n), 0, 0);
    canvas.setAttribute("aria-label", said);
  }
}
