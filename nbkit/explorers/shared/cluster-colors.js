// A color for each cluster of a tree that stays with it while the cut moves.

export const HUES = 10; // --hue-0 … --hue-9 in the style sheet, used in turn

/** The color of each node of a tree (tree.js) as a CSS value: of some clusters by their place; above them, that of the
 * largest one below; under them, the larger child has its parent's and the other a new one. An example that is alone is
 * gray.
 * @param {number[]} clusters the cut at which colors follow the order of size
 * @returns {(node: number) => string} */
export function clusterColors(tree, clusters) {
  const hue = new Int32Array(2 * tree.n - 1).fill(-1);
  clusters.forEach((node, place) => (hue[node] = place));
  let unused = clusters.length;
  for (let node = 2 * tree.n - 2; node >= tree.n; node--) {
    if (hue[node] < 0) continue;
    const [left, right] = [tree.left[node], tree.right[node]];
    const order = tree.size[left] - tree.size[right] || tree.first[right] - tree.first[left];
    const [heir, other] = order > 0 ? [left, right] : [right, left];
    hue[heir] = hue[node];
    hue[other] = tree.size[other] > 1 ? unused++ : hue[node];
  }
  for (let node = tree.n; node < hue.length; node++) {
    if (hue[node] < 0) hue[node] = Math.min(hue[tree.left[node]], hue[tree.right[node]]);
  }
  return (node) => (tree.size[node] === 1 ? "var(--alone)" : `var(--hue-${hue[node] % HUES})`);
}
