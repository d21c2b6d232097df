// Putting numbers in order. Pure functions, no page needed.

/** The units in the order of a metric's values; undefined ones last, of equals the lower number first. */
export function ranking(values, descending) {
  const sign = descending ? -1 : 1;
  const key = (j) => (Number.isNaN(values[j]) ? Infinity : sign * values[j]);
  return Array.from(values, (_, j) => j).sort((a, b) => (key(a) === key(b) ? a - b : key(a) - key(b)));
}
