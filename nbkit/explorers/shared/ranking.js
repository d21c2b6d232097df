// Putting numbers in order. Pure functions, no page needed.

/** The units in the order of a metric's values; undefined ones last, of equals the lower number first.
 * @returns {number[]} */
export function ranking(values, descending) {
  const keys = new Float64Array(values.length);
  for (let j = 0; j < keys.length; j++) keys[j] = Number.isNaN(values[j]) ? Infinity : descending ? -values[j] : values[j];
  const sorted = keys.slice().sort(); // without a function to compare by, several times as fast
  const placed = new Uint32Array(keys.length); // where equals begin, how many of them have their place
  const order = new Array(keys.length);
  for (let j = 0; j < keys.length; j++) {
    const first = placeAmong(sorted, keys[j]);
    order[first + placed[first]++] = j;
  }
  return order;
}

/** The first place of a number among sorted ones. */
export function placeAmong(numbers, wanted) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
