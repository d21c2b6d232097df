// Making elements and moving the focus among them.

/** An element with attributes and children; strings become text nodes. */
export function element(name, attributes = {}, children = [], space = "http://www.w3.org/1999/xhtml") {
  const made = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The same for SVG. */
export function svg(name, attributes, children) {
  return element(name, attributes, children, "http://www.w3.org/2000/svg");
}

/** A button that calls `act` when clicked. */
export function button(attributes, children, act) {
  const made = element("button", { type: "button", ...attributes }, children);
  made.addEventListener("click", act);
  return made;
}

/** Something that unfolds. */
export function folded(title, content) {
  return element("details", {}, [element("summary", {}, [title]), ...content]);
}

/** `value`, but not outside `low` … `high`. */
export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

/** The event is dealt with: no scrolling, and no reaction of the page around (JupyterLab has keys of its own). */
export function consume(event) {
  event.preventDefault();
  event.stopPropagation();
}

/** Let the keys in `moves` (key to number of steps), Home and End move the focus inside a list that is one stop of the
 * Tab key. `enter`, if given, is called with the item on which Enter is pressed. */
export function rove(list, moves, enter) {
  list.addEventListener("keydown", (event) => {
    const items = [...list.children];
    const now = items.indexOf(event.target);
    const ends = { Home: 0, End: items.length - 1 };
    if (event.key === "Enter" && enter) enter(event.target);
    else if (event.key in moves || event.key in ends) {
      const next = items[ends[event.key] ?? clamp(now + moves[event.key], 0, items.length - 1)];
      items[now].setAttribute("tabindex", -1);
      next.setAttribute("tabindex", 0);
      next.focus();
    } else return;
    consume(event);
  });
}
