// A leaderboard's numbers as columns and rows, and their order. Pure functions, no page needed.

import { fixed } from "../shared/axis.js";

export const ALL_TASKS = "all tasks";

/** @typedef {{number: string, half: string, side: number, at: number | null}} Cell
 *  What a cell reads, the side of zero on which its whole interval lies, and what it is sorted by; null if undefined. */

/** A number with its sign, and none if it rounds to zero. */
export function withSign(value, digits) {
  const text = fixed(value, digits);
  return value > 0 && Number(text) ? `+${text}` : text;
}

/** The columns and rows of a view, a row a contestant in the order of the board.
 * @param about the board (leaderboard.py)
 * @param {{task: string, measure: string, show: string}} chosen
 * @returns {{columns: {key: string, title: string}[], rows: {name: string, cells: (Cell | null)[]}[]}} */
export function boardView(about, chosen) {
  const { tasks, measures, contestants, baseline } = about;
  const measure = measures.findIndex(({ name }) => name === chosen.measure);
  const { title, digits } = measures[measure];
  const found = new Map(about.rows.map((row) => [row.slice(0, 3).join(), row]));
  const at = (task, of, contestant) => found.get([task, of, contestant].join());
  const columns = [{ key: "value", title }, ...differences(baseline)];
  const cells = [valueCell, ...[6, 9].map((place) => (row) => differenceCell(row, place, digits))];
  if (chosen.task === ALL_TASKS) {
    const cell = cells[columns.findIndex(({ key }) => key === chosen.show)];
    const there = tasks.map((_, task) => task).filter((task) => contestants.some((_, i) => at(task, measure, i)));
    return {
      columns: there.map((task) => ({ key: tasks[task].name, title: tasks[task].title })),
      rows: contestants.map((name, i) => ({
        name,
        cells: there.map((task) => whole(at(task, measure, i)) && cell(at(task, measure, i), digits)),
      })),
    };
  }
  const task = tasks.findIndex(({ name }) => name === chosen.task);
  const isNumber = chosen.measure === "clusters" && contestants.some((_, i) => at(task, measures.length, i));
  if (isNumber) columns.splice(1, 0, { key: "behaviors", title: "true" });
  columns.push({ key: "units", title: "units (groups)" });
  const rows = contestants.map((name, i) => {
    const row = whole(at(task, measure, i));
    if (!row) return { name, cells: columns.map(() => null) };
    const shown = [...cells.map((cell) => cell(row, digits)), unitsCell(row)];
    if (isNumber) shown.splice(1, 0, withoutHalf(valueCell(at(task, measures.length, i), digits)));
    return { name, cells: shown };
  });
  return { columns, rows };
}

/** The two columns of differences. */
export function differences(baseline) {
  return [
    { key: "over_baseline", title: `over ${baseline}` },
    { key: "over_control", title: "over its control" },
  ];
}

/** Rows by a column, or by contestant, those without a number last; as they are if there is no such column. */
export function sortedRows({ columns, rows }, key, down) {
  const sign = down ? -1 : 1;
  if (key === "contestant") return [...rows].sort((one, other) => sign * one.name.localeCompare(other.name, "en"));
  const place = columns.findIndex((column) => column.key === key);
  if (place < 0) return rows;
  const value = (row) => row.cells[place]?.at ?? null;
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    return a === null || b === null ? (a === null) - (b === null) : sign * (a - b);
  });
}

/** A row that has a value. */
function whole(row) {
  return row && row[3] !== null ? row : null;
}

function valueCell(row, digits) {
  if (!row || row[3] === null) return null;
  return { number: fixed(row[3], digits), half: half(row[4], digits), side: 0, at: row[3] };
}

function withoutHalf(cell) {
  return cell && { ...cell, half: "" };
}

function differenceCell(row, place, digits) {
  const [mean, width, side] = row.slice(place, place + 3);
  return mean === null ? null : { number: withSign(mean, digits), half: half(width, digits), side, at: mean };
}

function unitsCell(row) {
  const [units, groups] = row.slice(-2);
  return { number: units.toLocaleString("en"), half: `(${groups})`, side: 0, at: units };
}

/** Half an interval; nothing where there is none or it is a point. */
function half(width, digits) {
  return width ? `± ${fixed(width, digits)}` : "";
}
