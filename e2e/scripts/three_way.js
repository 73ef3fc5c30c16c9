// Random pages, random changes by scripts and readers, random changes by the server: what a three-way patch makes of them.
// The test gives it the modules of the kit. Everything follows from the seed.

/** @param {number} seed */
function randomOf(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (count) => Math.floor(next() * count);
  return { below, chance: (p) => next() < p, pick: (list) => list[below(list.length)] };
}

const BLOCKS = ["div", "section", "p", "ul", "details", "b"];

class Case {
  constructor(seed) {
    this.random = randomOf(seed);
    this.words = 0;
    this.failures = [];
  }

  word(prefix) {
    this.words += 1;
    return `${prefix}${this.words}.`;
  }

  // ------------------------------------------------------------ the page as the server said it

  html(depth = 0) {
    const { below, chance, pick } = this.random;
    const parts = [];
    for (let count = 1 + below(4); count > 0; count--) {
      const roll = below(10);
      if (roll < 3 || depth > 3)
        parts.push(chance(0.7) ? `<span${this.attributes()}>${this.word("s")}</span>` : this.word("s"));
      else if (roll === 3) parts.push(`<input name="${this.word("n")}" value="${this.word("v")}">`);
      else if (roll === 4) parts.push(this.list());
      else {
        const tag = pick(BLOCKS);
        parts.push(`<${tag}${this.attributes()}>${tag === "p" ? this.word("s") : this.html(depth + 1)}</${tag}>`);
      }
    }
    return parts.join(this.random.chance(0.5) ? "\n  " : "");
  }

  list() {
    const items = Array.from(
      { length: 1 + this.random.below(6) },
      () => `<li${this.attributes()}>${this.word("s")}</li>`,
    );
    return `<ul${this.attributes()}>${items.join("")}</ul>`;
  }

  attributes() {
    const { chance } = this.random;
    const id = chance(0.4) ? ` id="${this.word("id")}"` : "";
    const title = chance(0.3) ? ` title="${this.word("a")}"` : "";
    const style = chance(0.2) ? ' style="color: red; margin: 1px"' : "";
    return `${id}${chance(0.5) ? ` class="one ${this.word("c")}"` : ""}${title}${style}`;
  }

  /** What is published is said by the server, and stands in the page. */
  publish(app, copySwap) {
    const { pick } = this.random;
    const target = pick([...app.querySelectorAll("div, section, b")]);
    if (!target) return;
    const style = pick(["beforeend", "afterbegin", "beforebegin", "afterend"]);
    const live = Object.assign(document.createElement("em"), { textContent: this.word("s") });
    const old = live.cloneNode(true);
    copySwap(style, target, [live]);
    target.insertAdjacentElement(style, live);
    this.origin.get(target).insertAdjacentElement(style, old);
    pairAll(live, old, (node, other) => this.origin.set(node, other));
  }

  // ------------------------------------------------------------ changes; each returns what must be true afterwards

  /** What the server changes. `said` is the node in the new page; `live` the one that stands in the page. */
  serverChange(root) {
    const { pick, chance } = this.random;
    const elements = [...root.querySelectorAll("*")].filter((element) => element !== root && element.isConnected);
    if (elements.length === 0) return;
    const element = pick(elements);
    const kind = pick(["text", "title", "class", "style", "insert", "insert", "remove", "move"]);
    this[`server_${kind}`](element, chance(0.5));
  }

  server_text(element) {
    const text = [...element.childNodes].find((node) => node instanceof Text && node.data.trim());
    if (!text) return;
    const [before, now] = [text.data.trim(), this.word("S")];
    text.data = now;
    this.saidNow(element, now, before);
  }

  server_title(element) {
    const now = this.word("A");
    element.setAttribute("title", now);
    this.touched(element).title = now;
  }

  server_class(element, add) {
    const [name] = element.classList;
    if (add) this.touched(element).added = this.word("C");
    if (add) element.classList.add(this.touched(element).added);
    else if (name) {
      element.classList.remove(name);
      this.touched(element).removed = name;
    }
  }

  server_style(element) {
    element.style.setProperty("padding", `${1 + this.random.below(9)}px`);
    this.touched(element).padding = element.style.padding;
  }

  server_insert(element) {
    if (["UL", "INPUT", "SPAN", "P"].includes(element.parentNode.nodeName) && element.nodeName !== "LI") return;
    const fresh = document.createElement(element.nodeName === "LI" ? "li" : "em");
    fresh.textContent = this.word("S");
    if (this.random.chance(0.4)) fresh.id = this.word("id");
    element.before(fresh);
    this.structure.add(element.parentNode);
    this.inserted.push(fresh);
  }

  server_remove(element) {
    const parent = element.parentNode;
    this.structure.add(parent);
    element.remove();
    this.removed.push({ element, parent });
  }

  server_move(element) {
    const others = [...element.parentNode.children].filter((other) => other !== element);
    if (others.length === 0) return;
    this.structure.add(element.parentNode);
    this.random.pick(others).after(element);
  }

  touched(element) {
    this.changed.set(element, this.changed.get(element) ?? {});
    return this.changed.get(element);
  }

  saidNow(element, now, before) {
    Object.assign(this.touched(element), { now, before: this.touched(element).before ?? before });
  }

  // ------------------------------------------------------------ what scripts and the reader change

  clientChange(root) {
    const { pick } = this.random;
    const elements = [...root.querySelectorAll("*")].filter((element) => this.origin.has(element));
    if (elements.length === 0) return;
    const kind = pick([
      "text",
      "title",
      "class",
      "style",
      "append",
      "insert",
      "remove",
      "type",
      "open",
      "remake",
      "replace",
      "order",
    ]);
    this[`client_${kind}`](pick(elements), root);
  }

  client_text(element) {
    const text = [...element.childNodes].find(
      (node) => node instanceof Text && this.origin.has(node) && node.data.trim(),
    );
    if (!text) return;
    text.data = this.word("X");
    const now = text.data;
    this.expect(text.parentNode, "text", text, () => text.isConnected && text.data === now);
  }

  client_title(element) {
    const now = this.word("X");
    element.setAttribute("data-x", now);
    this.expect(element, "attribute", element, () => element.getAttribute("data-x") === now);
  }

  client_class(element) {
    const now = this.word("X");
    element.classList.add(now);
    this.expect(element, "class", element, () => element.classList.contains(now));
  }

  client_style(element) {
    element.style.setProperty("width", "7px");
    this.expect(element, "style", element, () => element.style.width === "7px");
  }

  client_append(element) {
    if (["INPUT", "UL"].includes(element.nodeName)) return;
    const own = Object.assign(document.createElement("i"), { textContent: this.word("X") });
    element.append(own);
    this.expect(element, "appended", element, () => own.parentNode === element, true);
  }

  client_insert(element) {
    const own = Object.assign(document.createElement("i"), { textContent: this.word("X") });
    const parent = element.parentNode;
    element.before(own);
    this.expect(parent, "inserted", parent, () => own.parentNode === parent, true);
  }

  client_remove(element) {
    element.remove();
    this.expect(element, "removed", null, () => !element.isConnected);
    this.lost.add(element);
  }

  client_type(element, root) {
    const field = this.random.pick([...root.querySelectorAll("input")]);
    if (!field) return;
    field.value = this.word("X");
    const { value } = field;
    this.expect(field, "typed", field, () => field.value === value);
  }

  client_open(element, root) {
    const details = this.random.pick([...root.querySelectorAll("details")]);
    if (!details) return;
    details.open = true;
    this.expect(details, "opened", details, () => details.open);
  }

  client_remake(element) {
    if (["INPUT", "UL"].includes(element.nodeName)) return;
    const now = this.word("X");
    for (const node of [...element.querySelectorAll("*")]) this.lost.add(node);
    element.innerHTML = `<i>${now}</i>`;
    this.remade.add(element);
    this.expect(element, "remade", element, () => element.textContent.includes(now));
  }

  client_replace(element) {
    if (element.nodeName !== "SPAN") return;
    const icon = document.createElement("svg-like");
    icon.textContent = this.word("X");
    const parent = element.parentNode;
    element.replaceWith(icon);
    this.lost.add(element);
    this.expect(element, "replaced", null, () => icon.parentNode === parent && !element.isConnected);
    this.expect(parent, "replaced", parent, () => icon.parentNode === parent, true);
  }

  client_order(element) {
    const parent = element.parentNode;
    const others = [...parent.children].filter((other) => other !== element && this.origin.has(other));
    if (others.length === 0) return;
    const other = this.random.pick(others);
    other.after(element);
    this.expect(parent, "order", element, () => element.parentNode === parent);
    this.reordered.add(parent);
  }

  /** Expect something of an element unless the server has changed that element, or something around it. */
  expect(element, what, node, isTrue, isOfContent = false) {
    this.expectations.push({ element, what, node, isTrue, isOfContent });
  }

  // ------------------------------------------------------------ the case

  run({ patch, serverCopy, parsePage, copySwap }) {
    const app = document.querySelector("#app");
    const html = this.html();
    app.innerHTML = html;
    serverCopy.take();
    const parse = (text) => parsePage(text).querySelector("#app");
    const before = parse(`<div id="app">${html}</div>`);
    /** From the nodes of the page to those of the server's page, before and now. */
    this.origin = new Map();
    this.said = new Map();
    pairAll(app, before, (live, old) => this.origin.set(live, old));
    for (let count = this.random.below(3); count > 0; count--) this.publish(app, copySwap);
    const fresh = before.cloneNode(true);
    pairAll(before, fresh, (old, now) => this.said.set(old, now));
    this.parents = new Map([...this.origin.keys()].map((live) => [live, live.parentNode]));
    Object.assign(this, { changed: new Map(), structure: new Set(), inserted: [], removed: [], expectations: [] });
    Object.assign(this, { lost: new Set(), remade: new Set(), reordered: new Set() });

    for (let count = this.random.below(6); count > 0; count--) this.clientChange(app);
    this.expectations = this.expectations.filter(({ isTrue }) => isTrue()); // of two changes, the later one counts
    document.body.append(fresh); // so that the server's changes see what is connected
    for (let count = this.random.below(6); count > 0; count--) this.serverChange(fresh);
    fresh.remove();

    const isLost = (node) => this.lost.has(node) || !node.isConnected;
    /** The elements that lack something that the server said. */
    this.lacking = new Set([...this.origin.keys()].filter(isLost).map((live) => this.parents.get(live)));
    this.standing = new Map([...this.origin].map(([live, old]) => [this.said.get(old), live]));
    const order = [...fresh.querySelectorAll("*")];
    const stood = app.innerHTML;
    patch(serverCopy.of(app), parse(this.random.chance(0.5) ? indented(fresh) : fresh.outerHTML), app);
    this.checkServer(app, order);
    this.checkClient(app, fresh);
    this.checkAgain({ patch, serverCopy, parse }, app, fresh);
    return this.failures.map(
      (failure) =>
        `${failure}\n  before: ${html}\n  now:    ${fresh.innerHTML}\n  stood:  ${stood}\n  here:   ${app.innerHTML}`,
    );
  }

  checkServer(app, order) {
    const text = app.textContent;
    for (const [element, change] of this.changed) {
      if (!order.includes(element)) continue; // it is gone
      if (change.now && !text.includes(change.now)) this.failures.push(`the server's text ${change.now} is missing`);
      if (change.now && text.includes(change.before))
        this.failures.push(`the server's text ${change.before} is still there`);
      const live = this.standing.get(element);
      if (!live?.isConnected || !this.isRecognizable(element)) continue;
      if (change.title && live.title !== change.title) this.failures.push(`the title ${change.title} is missing`);
      if (change.added && element.classList.contains(change.added) && !live.classList.contains(change.added))
        this.failures.push(`the class ${change.added} is missing`);
      const isBack = change.removed && element.classList.contains(change.removed);
      if (change.removed && !isBack && live.classList.contains(change.removed))
        this.failures.push(`the class ${change.removed} is still there`);
      if (change.padding && live.style.padding !== change.padding)
        this.failures.push(`the padding is ${live.style.padding}`);
    }
    for (const element of this.inserted) {
      const count = text.split(element.textContent).length - 1;
      if (order.includes(element) && count !== 1)
        this.failures.push(`${element.textContent} was inserted ${count} times`);
    }
    for (const { element, parent } of this.removed) {
      const own = [...element.childNodes].filter((node) => node instanceof Text && node.data.trim());
      const live = this.standing.get(element);
      const isGone = own.every((node) => !text.includes(node.data.trim()));
      if (!isGone) this.failures.push(`${element.textContent} was not removed`);
      if (element.id && this.isRecognizable(parent) && live?.isConnected)
        this.failures.push(`<${element.localName}> stands after its removal`);
    }
    this.checkOrder(app, order);
  }

  /** Where no script has changed the order, elements stand in the server's. */
  checkOrder(app, order) {
    const places = new Map(order.map((element, index) => [element.textContent.trim(), index]));
    places.delete("");
    for (const parent of [app, ...app.querySelectorAll("*")]) {
      if (this.reordered.has(parent)) continue;
      const found = [...parent.children]
        .map((child) => places.get(child.textContent.trim()))
        .filter((place) => place !== undefined);
      if (found.some((place, index) => index > 0 && place < found[index - 1]))
        this.failures.push(`the order in <${parent.localName}> is wrong`);
    }
  }

  checkClient(app, fresh) {
    for (const { element, what, node, isTrue, isOfContent } of this.expectations) {
      const now = this.said.get(this.origin.get(element)) ?? (element === app ? fresh : undefined);
      const own = this.said.get(this.origin.get(node)) ?? fresh;
      if (!now || !fresh.contains(now) || !fresh.contains(own)) continue; // the server has removed it
      if (!this.isStanding(element, app) && what !== "removed" && what !== "replaced") continue;
      if (this.isTouched(now, what, isOfContent) || !this.isRecognizable(now) || !this.isRecognizable(own)) continue;
      if (!isTrue()) this.failures.push(`what a script or the reader did is lost: ${what} ${node?.outerHTML ?? ""}`);
    }
  }

  isStanding(element, app) {
    for (let node = element; node && node !== app; node = node.parentNode) if (this.lost.has(node)) return false;
    return app.contains(element);
  }

  /** Whether the server has changed what a change was about. */
  isTouched(now, what, isOfContent) {
    if (["removed", "replaced", "remade"].includes(what)) return this.isAnyTouched(now) || this.isAroundTouched(now);
    // What stands in the place of something that the server has changed or removed gives way.
    if (isOfContent) return this.lacking.has(this.standing.get(now)) && this.isAnyTouched(now);
    // Where an element goes, the parser joins the texts around it.
    return what === "text" && (this.changed.get(now)?.now !== undefined || this.structure.has(now));
  }

  isAnyTouched(now) {
    return [now, ...now.querySelectorAll("*")].some(
      (element) => this.changed.has(element) || this.structure.has(element),
    );
  }

  isAroundTouched(now) {
    const around = now.parentNode;
    return this.structure.has(around) || (this.lacking.has(this.standing.get(around)) && this.isAnyTouched(around));
  }

  /** Whether it is certain which element of the old page an element of the new page is. */
  isRecognizable(now) {
    for (let node = now; node?.parentNode; node = node.parentNode) {
      if (this.remade.has(this.standing.get(node))) return false;
      const isSame = node.id !== "" || !this.structure.has(node.parentNode) || this.isUnchanged(node);
      if (!isSame) return false;
    }
    return true;
  }

  isUnchanged(node) {
    return [node, ...node.querySelectorAll("*")].every(
      (inside) => !this.changed.has(inside) && !this.structure.has(inside),
    );
  }

  /** A second patch with the same page finds nothing to change. */
  checkAgain({ patch, serverCopy, parse }, app, fresh) {
    const observer = new MutationObserver(() => {});
    observer.observe(app, { subtree: true, childList: true, attributes: true, characterData: true });
    patch(serverCopy.of(app), parse(fresh.outerHTML), app);
    const records = observer.takeRecords();
    observer.disconnect();
    if (records.length > 0) this.failures.push(`a second patch changed ${records.length} things: ${records[0].type}`);
  }
}

function pairAll(node, other, pair) {
  pair(node, other);
  for (const [index, child] of [...node.childNodes].entries()) pairAll(child, other.childNodes[index], pair);
}

function indented(element, depth = 0) {
  const space = "\n" + "  ".repeat(depth + 1);
  const isBlock = [...element.childNodes].every((node) => node instanceof Element) && element.childNodes.length > 0;
  if (!isBlock) return element.outerHTML;
  const copy = element.cloneNode(false).outerHTML.replace(/<\/[\w-]+>$/, "");
  return `${copy}${space}${[...element.children].map((child) => indented(child, depth + 1)).join(space)}\n</${element.localName}>`;
}

globalThis.runCases = (modules, first, count) => {
  for (let seed = first; seed < first + count; seed++) {
    const [failure] = new Case(seed).run(modules);
    if (failure) return `seed ${seed}: ${failure}`;
  }
  return "";
};
