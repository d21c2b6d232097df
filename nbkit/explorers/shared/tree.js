// The merge tree of a linkage: cut it, order its clusters, place its nodes. Pure functions, no page needed.
//
// Nodes are numbered as SciPy does: 0 … n-1 are the examples (leaves), n + i is the merge of row i.

/** @typedef {{n: number, left: Int32Array, right: Int32Array, height: Float64Array, top: Float64Array,
 *    size: Int32Array, first: Int32Array}} Tree
 *  `height` of a merge and `top`, the largest height in its subtree (they differ only where heights are not monotone);
 *  `size` in examples and `first`, the smallest example, of every node. Leaves have height 0. */

/** The tree of `pairs` [a0, b0, a1, b1, …] merged at `heights` [h0, h1, …].
 * @returns {Tree} */
export function makeTree(pairs, heights) {
  const n = heights.length + 1;
  const nodes = 2 * n - 1;
  const tree = {
    n,
    left: new Int32Array(nodes).fill(-1),
    right: new Int32Array(nodes).fill(-1),
    height: new Float64Array(nodes),
    top: new Float64Array(nodes),
    size: new Int32Array(nodes).fill(1),
    first: Int32Array.from({ length: nodes }, (_, node) => node),
  };
  heights.forEach((height, i) => {
    const [node, a, b] = [n + i, pairs[2 * i], pairs[2 * i + 1]];
    tree.left[node] = a;
    tree.right[node] = b;
    tree.height[node] = height;
    // a leaf's 0 must not count: SciPy's heights can be a rounding error below 0
    tree.top[node] = Math.max(height, ...[a, b].filter((child) => child >= n).map((child) => tree.top[child]));
    tree.size[node] = tree.size[a] + tree.size[b];
    tree.first[node] = Math.min(tree.first[a], tree.first[b]);
  });
  return tree;
}

/** The nodes that are clusters after all merges up to and including `threshold`, largest first, of equals the one
 * with the earliest example. The same partition as SciPy's fcluster(criterion="distance"). */
export function cut(tree, threshold) {
  const clusters = [];
  const pending = [2 * tree.n - 2];
  while (pending.length) {
    const node = pending.pop();
    if (node < tree.n || tree.top[node] <= threshold) clusters.push(node);
    else pending.push(tree.left[node], tree.right[node]);
  }
  return clusters.sort((a, b) => tree.size[b] - tree.size[a] || tree.first[a] - tree.first[b]);
}

/** The examples below `node`, from left to right. */
export function leaves(tree, node) {
  const found = [];
  const pending = [node];
  while (pending.length) {
    const next = pending.pop();
    if (next < tree.n) found.push(next);
    else pending.push(tree.right[next], tree.left[next]);
  }
  return found;
}

/** A cluster's examples: the medoid, then the others in corpus order.
 * @param medoids of the merges */
export function members(tree, medoids, cluster) {
  const medoid = cluster < tree.n ? cluster : medoids[cluster - tree.n];
  const others = leaves(tree, cluster).filter((example) => example !== medoid);
  return [medoid, ...others.sort((a, b) => a - b)];
}

/** For each node its cluster's place in `clusters`; -1 above the cut. */
export function labels(tree, clusters) {
  const label = new Int32Array(2 * tree.n - 1).fill(-1);
  clusters.forEach((cluster, place) => {
    label[cluster] = place;
  });
  for (let node = 2 * tree.n - 2; node >= tree.n; node--) {
    if (label[node] < 0) continue;
    label[tree.left[node]] = label[tree.right[node]] = label[node];
  }
  return label;
}

/** For each node where it stands among the leaves: leaf k from the left at k + 0.5, a merge amid its two children. */
export function places(tree) {
  const place = new Float64Array(2 * tree.n - 1);
  leaves(tree, 2 * tree.n - 2).forEach((leaf, k) => {
    place[leaf] = k + 0.5;
  });
  for (let node = tree.n; node < 2 * tree.n - 1; node++) {
    place[node] = (place[tree.left[node]] + place[tree.right[node]]) / 2;
  }
  return place;
}
