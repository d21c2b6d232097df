// The part of a page's address that says what one of its explorers shows: "#pareto;x=l0;y=mse~latent;view=1;unit=17".
// Each explorer reads and writes its own part and leaves the others alone. Only on a page: JupyterLab's address is its own.

const SETTLED = 200; // ms without another change until the address follows; browsers limit how often it may

/** The parts of an address by name, each with its values as texts. What is no part, as the name of a section, is left out. */
export function addressParts(address) {
  const parts = new Map();
  for (const text of address.replace(/^#/, "").split("~")) {
    const [name, ...pairs] = text.split(";");
    const values = pairs.map(decoded).filter((pair) => pair !== null);
    if (pairs.length) parts.set(name, Object.fromEntries(values));
  }
  return parts;
}

/** The name and the value of a pair; null if the address was cut in the middle of a character. */
function decoded(pair) {
  try {
    return pair.split("=").map(decodeURIComponent);
  } catch {
    return null;
  }
}

/** An address with other values in one of its parts; without the part if there are none. */
export function withPart(address, name, values) {
  const parts = addressParts(address);
  if (Object.keys(values).length) parts.set(name, values);
  else parts.delete(name);
  const text = ([key, value]) => `${key}=${encodeURIComponent(value).replaceAll("~", "%7E")}`;
  return `#${[...parts].map(([each, some]) => [each, ...Object.entries(some).map(text)].join(";")).join("~")}`;
}

export class AddressPart {
  /** @param el the element that holds the explorer: on a page one of mount.py
   * @param name of the kind of explorer; the second of its kind on a page has a number
   * @param values gives what is shown, texts or numbers by name, without what is as it was at first
   * @param take shows what an address asks for, texts by name; none: as it was at first */
  constructor(el, name, values, take) {
    const kind = el.dataset.explorer;
    this.linked = kind !== undefined;
    const place = this.linked ? [...document.querySelectorAll(`[data-explorer="${kind}"]`)].indexOf(el) : 0;
    Object.assign(this, { el, values, take, name: place > 0 ? `${name}${place + 1}` : name });
    if (!this.linked) return;
    window.addEventListener("hashchange", this.read);
    if (this.asked) this.read();
  }

  /** What the address asks of this explorer, if anything. */
  get asked() {
    return addressParts(location.hash).get(this.name);
  }

  read = () => {
    const { asked } = this;
    if (JSON.stringify(asked) === this.known) return;
    this.known = JSON.stringify(asked);
    this.take(asked ?? {});
    if (asked) this.el.scrollIntoView({ block: "start" });
  };

  /** Follow what is shown, soon. */
  write() {
    if (!this.linked) return;
    clearTimeout(this.pending);
    this.pending = setTimeout(() => {
      const address = withPart(location.hash, this.name, this.values());
      this.known = JSON.stringify(addressParts(address).get(this.name));
      if (addressParts(location.hash).size || address !== "#") history.replaceState(history.state, "", address);
    }, SETTLED);
  }

  /** A link to what is shown here, whatever the other explorers show. */
  get link() {
    return new URL(withPart("", this.name, this.values()), location.href).href;
  }

  close() {
    clearTimeout(this.pending);
    window.removeEventListener("hashchange", this.read);
  }
}
