// The leaderboard explorer: contestants of the benchmark beside their controls, as a table that sorts.
// Served together with its imports as one module (bundle.py); leaderboard.py says what the data are.

import { AddressPart } from "../shared/address-part.js";
import { button, element } from "../shared/elements.js";
import { csvText, handOver } from "../shared/hand-over.js";
import { ALL_TASKS, boardView, differences, sortedRows } from "./board-rows.js";

const CHOICES = ["task", "measure", "show", "sort", "down"];
const SIDES = { 1: ["▲", "above zero"], [-1]: ["▼", "below zero"] };
const LACKING = { number: "–", half: "", side: 0 };

/** What is chosen, and the table that follows it. */
class LeaderboardExplorer {
  constructor(model) {
    this.model = model;
    this.about = JSON.parse(model.get("data")); // tasks, measures, contestants, baseline, rows
    const { tasks, measures, baseline } = this.about;
    const numbers = [{ key: "value", title: "the value" }, ...differences(baseline)];
    this.selects = {
      task: this.makeSelect("task", "Task", [...tasks, { name: ALL_TASKS, title: ALL_TASKS }]),
      measure: this.makeSelect("measure", "Measure", measures),
      show: this.makeSelect("show", "Number", numbers.map(({ key, title }) => ({ name: key, title }))),
    };
    this.caption = element("caption", { class: "nk-hidden" });
    this.head = element("tr");
    this.rows = element("tbody");
    this.said = element("p", { class: "nk-hidden", "aria-live": "polite" });
    const table = element("table", {}, [this.caption, element("thead", {}, [this.head]), this.rows]);
    const scroll = { class: "nk-scroll", role: "group", tabindex: 0, "aria-label": "Leaderboard" };
    this.frame = element("div", scroll, [table]);
    const key = (side) => [element("span", { class: sideClass(side), "aria-hidden": "true" }, [SIDES[side][0]])];
    this.root = element("div", { class: "nbkit-explorer nk-leaderboard" }, [
      element("div", { class: "nk-tools" }, Object.values(this.selects).map(({ label }) => label)),
      this.frame,
      element("p", { class: "nk-hint" }, [
        "± half the 95% interval over groups. The whole interval is above zero: ",
        ...key(1),
        ", below: ",
        ...key(-1),
        ". Over its control: against the same space with another unit's weights, 0 where it has no use for them. " +
          "A dash: not measured there.",
      ]),
      this.said,
    ]);
    this.first = this.chosen;
    this.show();
  }

  /** What the reader can choose, as texts. */
  get chosen() {
    return Object.fromEntries(CHOICES.map((name) => [name, String(this.model.get(name))]));
  }

  /** What an address says: that which is not as it was at first. */
  get differing() {
    const { chosen, first } = this;
    return Object.fromEntries(Object.entries(chosen).filter(([name, text]) => text !== first[name]));
  }

  /** Choose what an address asks for, where there is such a thing. */
  take(asked) {
    const { sort, down, ...picked } = { ...this.first, ...asked };
    for (const [name, text] of Object.entries(picked)) {
      if ([...(this.selects[name]?.select.options ?? [])].some(({ value }) => value === text)) this.set(name, text);
    }
    const known = ["contestant", ...boardView(this.about, this.chosen).columns.map(({ key }) => key)];
    this.set("sort", known.includes(sort) ? sort : this.first.sort);
    this.set("down", down !== "false");
  }

  /** Let the address say and change what is chosen. */
  follow(address) {
    this.address = address;
    this.root.append(handOver(address, () => ["leaderboard.csv", csvText(this.asRows())]));
  }

  /** Every number of the board but the sides, below the titles. */
  asRows() {
    const { tasks, measures, contestants, rows } = this.about;
    const numbers = ["value", "over_baseline", "over_control"].flatMap((name) => [name, `${name}_half`]);
    const names = [...measures.map(({ name }) => name), "behaviors"];
    return [
      ["task", "measure", "contestant", ...numbers, "units", "groups"],
      ...rows.map(([task, measure, contestant, ...values]) => [
        tasks[task].name,
        names[measure],
        contestants[contestant],
        ...[0, 1, 3, 4, 6, 7, 9, 10].map((place) => values[place]),
      ]),
    ];
  }

  /** Follow the model. */
  show() {
    const { chosen } = this;
    for (const [name, { select }] of Object.entries(this.selects)) select.value = chosen[name];
    this.selects.show.label.hidden = chosen.task !== ALL_TASKS;
    const view = boardView(this.about, chosen);
    const columns = [{ key: "contestant", title: "contestant" }, ...view.columns];
    if (JSON.stringify(columns) !== this.shownColumns) this.fillHead(columns); // buttons keep the focus otherwise
    this.shownColumns = JSON.stringify(columns);
    const down = chosen.down === "true";
    const order = down ? "descending" : "ascending";
    for (const { key, cell, arrow } of this.heads) {
      if (key === chosen.sort) cell.setAttribute("aria-sort", order);
      else cell.removeAttribute("aria-sort");
      arrow.textContent = key === chosen.sort ? (down ? "↓" : "↑") : "";
    }
    this.rows.replaceChildren(...sortedRows(view, chosen.sort, down).map((row) => this.makeRow(row)));
    const picked = ["task", "measure"].map((name) => this.selects[name].select.selectedOptions[0].textContent);
    this.caption.textContent = picked.join(", ");
    const by = columns.find(({ key }) => key === chosen.sort);
    this.said.textContent = `${picked.join(", ")}${by ? `, by ${by.title}, ${order}` : ""}`;
    this.address?.write();
  }

  fillHead(columns) {
    this.heads = columns.map(({ key, title }) => {
      const arrow = element("span", { class: "nk-arrow", "aria-hidden": "true" });
      const sorts = button({}, [title, arrow], () => this.sortBy(key));
      return { key, arrow, cell: element("th", { scope: "col" }, [sorts]) };
    });
    this.head.replaceChildren(...this.heads.map(({ cell }) => cell));
  }

  makeRow({ name, cells }) {
    return element("tr", {}, [element("th", { scope: "row" }, [name]), ...cells.map((cell) => makeCell(cell ?? LACKING))]);
  }

  /** Numbers begin with the highest, names with the first; the other way around the second time. */
  sortBy(key) {
    const { sort, down } = this.chosen;
    this.set("sort", key);
    this.set("down", sort === key ? down !== "true" : key !== "contestant");
  }

  makeSelect(name, text, options) {
    const items = options.map((option) => element("option", { value: option.name }, [option.title]));
    const select = element("select", {}, items);
    select.addEventListener("change", () => this.set(name, select.value));
    return { select, label: element("label", {}, [element("span", {}, [text]), select]) };
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }
}

function makeCell(cell) {
  const [sign, words] = SIDES[cell.side] ?? ["", ""];
  return element("td", cell === LACKING ? { class: "nk-lacking" } : {}, [
    element("span", { class: "nk-figure" }, [cell.number]),
    element("span", { class: sideClass(cell.side), "aria-hidden": "true" }, [sign]),
    " ",
    element("span", { class: "nk-half" }, [cell.half]),
    ...(words ? [element("span", { class: "nk-hidden" }, [`, ${words}`])] : []),
  ]);
}

function sideClass(side) {
  return `nk-side${side > 0 ? " nk-above" : side < 0 ? " nk-below" : ""}`;
}

function render({ model, el }) {
  const explorer = new LeaderboardExplorer(model);
  const show = () => explorer.show();
  const events = CHOICES.map((name) => `change:${name}`).join(" ");
  el.append(explorer.root);
  model.on(events, show);
  const address = new AddressPart(el, "leaderboard", () => explorer.differing, (asked) => explorer.take(asked));
  explorer.follow(address);
  return () => {
    address.close();
    model.off(events, show);
  };
}

export default { render };
