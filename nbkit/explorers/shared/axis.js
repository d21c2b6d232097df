// The axis of a plot: where a value lies on it, and the ticks. Pure functions, no page needed.

/** A number as an address has it: short, and as exact as it is shown anywhere. */
export function addressNumber(value) {
  return String(Number(value.toPrecision(6)));
}

/** An axis for `values`, with a margin at both ends, from `start` to `end` in pixels.
 * @returns {{place: (value: number) => number, ticks: number[]}} */
export function makeAxis(values, log, start, end, wanted = 5) {
  const to = log ? Math.log10 : (value) => value;
  let [low, high] = [to(Math.min(...values)), to(Math.max(...values))];
  const margin = (high - low || Math.abs(high) || 1) * 0.06;
  [low, high] = [low - margin, high + margin];
  return {
    place: (value) => start + ((to(value) - low) / (high - low)) * (end - start),
    ticks: log ? powers(low, high, wanted) : steps(low, high, wanted),
  };
}

/** Round numbers from `low` to `high`, about `wanted`. */
export function steps(low, high, wanted) {
  const rough = (high - low) / wanted;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = ten * [1, 2, 5, 10].find((factor) => factor * ten >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

/** 1, 2 and 5 times powers of ten between 10^low and 10^high; fewer of them over a wide range, round numbers over a
 * narrow one. */
export function powers(low, high, wanted) {
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (let power = Math.floor(low); power <= high; power++) {
      for (const factor of factors) {
        const at = power + Math.log10(factor);
        if (at >= low && at <= high) found.push(Number((factor * 10 ** power).toPrecision(12)));
      }
    }
    if (found.length < 3) return steps(10 ** low, 10 ** high, wanted).filter((value) => value > 0);
    if (found.length <= wanted + 2 || factors.length === 1) return found;
  }
}

/** A number as an axis or a label shows it: 0.0002 as 2e-4. */
export function short(value) {
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential().replace("e-", "e−").replace("-", "−");
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

/** A number with so many decimals; what rounds to 0 has no sign. */
export function fixed(value, digits) {
  const text = value.toFixed(digits);
  return Number(text) ? text.replace("-", "−") : text.replace("-", "");
}

/** Of boxes [{x, y, width, height}] in order of importance, which can be shown without covering another. */
export function apart(boxes) {
  const shown = [];
  return boxes.map((box) => {
    const free = shown.every(
      (other) =>
        box.x >= other.x + other.width ||
        other.x >= box.x + box.width ||
        box.y >= other.y + other.height ||
        other.y >= box.y + box.height,
    );
    if (free) shown.push(box);
    return free;
  });
}
