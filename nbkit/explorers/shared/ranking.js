// Putting numbers in order. Pure functions, no page needed.

/** The units in the order of a metric's values; undefined ones last, of equals the lower number first. */
export function ranking(values, descending) {
  const sign = descending ? -1 : 1;
  const keys = Float64Array.from(values, (value) => (Number.isNaN(value) ? Infinity : sign * value));
  return Array.from(keys, (_, j) => j).sort((a, b) => keys[a] - keys[b] || a - b); // NaN between two infinities
}
