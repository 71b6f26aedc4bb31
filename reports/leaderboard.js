// The page: shows the state of leaderboard_view.js, which is also what stands in its address after #. Without this script the page shows every board's ranking.

const kFirstRows = 50;  // that are made and laid out at once: a sort shows these, the others follow while nothing else is to do
const kNextRows = 150;  // each time; the table is laid out once more for each

const byId = (id) => document.getElementById(id);

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

class Panel {
  constructor(section, words) {
    this.section = section;
    this.words = words;
    this.id = section.dataset.id;
    this.scroll = section.querySelector(".scroll");
    this.table = section.querySelector("table");
    this.rows = new Map();  // row → tr, for the columns that are shown
    this.columnsKey = "";
    this.waiting = 0;
  }

  get board() {  // read when it is first looked at
    if (!this.read) this.read = readBoard(this.section.querySelector("script.data").textContent, this.words);
    return this.read;
  }

  // Puts a new table before the old one, which is hidden as a whole: taking a thousand rows out of a page would take longer than a click may. Rows move over, or go,
  // a few at a time.
  show(state, onSort, atOnce) {
    cancelIdle(this.waiting);
    this.columns = shownColumns(this.board, state);
    this.sections = shownSections(this.board, state, this.columns);
    const key = JSON.stringify([this.columns.map((column) => column.key), state.stat]);
    if (key !== this.columnsKey) this.rows.clear();
    this.columnsKey = key;
    this.scroll.scrollTop = 0;
    for (const holder of this.scroll.children) holder.className = "old";
    const chunks = this.chunks();
    let first = 0;
    for (let rows = 0; first < chunks.length && (atOnce || rows < kFirstRows); ++first) rows += chunks[first].rows.length;
    this.table = this.newTable(state, onSort);
    for (const chunk of chunks.slice(0, first)) this.table.append(this.body(chunk));
    if (chunks.length === 0) this.table.append(element("tbody", {}, this.wideRow("part", "No row matches. Change the search or the filters.")));
    this.scroll.prepend(element("div", { className: "holder" }, this.table));
    this.fill(chunks.slice(first));
  }

  newTable(state, onSort) {
    const table = this.table.cloneNode(false);
    table.className = "live";
    const names = this.columns.filter((column) => column.kind.startsWith("name")).length;
    table.style.setProperty("--names", names);
    table.style.setProperty("--numbers", this.columns.length - names - 1);
    table.style.setProperty("--letters", Math.max(8, ...this.columns.map((column) => (column.group ? Math.min(column.title.length, 14) : 0))));
    table.append(this.columnWidths(), this.head(state, onSort));
    return table;
  }

  fill(chunks) {
    const old = this.scroll.querySelector(".old");
    if (chunks.length === 0 && !old) return;
    this.waiting = whenIdle(() => {
      if (chunks.length > 0) this.table.append(this.body(chunks[0]));
      else if (old.querySelector("tbody")) old.querySelector("tbody").remove();
      else old.remove();
      this.fill(chunks.slice(1));
    });
  }

  // [{section, title, rows}]: sections in pieces, a section's title before its first.
  chunks() {
    const chunks = [];
    for (const section of this.sections) {
      for (let begin = 0; begin < section.rows.length; begin += chunks.at(-1).rows.length)
        chunks.push({ section, title: begin === 0 ? section.title : "", rows: section.rows.slice(begin, begin + (chunks.length === 0 ? kFirstRows : kNextRows)) });
    }
    return chunks;
  }

  body({ section, title, rows }) {
    const body = element("tbody", { className: section.part });
    if (title) body.append(this.wideRow("part", title, section.rows.length));
    body.append(...rows.map((row) => this.row(row)));
    return body;
  }

  wideRow(className, title, count) {
    const cell = element("th", { colSpan: this.columns.length, scope: "rowgroup" }, element("bdi", {}, title));
    if (count) cell.append(" ", element("span", { className: "shared" }, count === 1 ? "1 row" : count + " rows"));
    return element("tr", { className }, cell);
  }

  row(row) {
    let made = this.rows.get(row);
    if (made) return made;
    made = element("tr", { className: row.part });
    for (const column of this.columns) made.append(this.cell(column, row));
    this.rows.set(row, made);
    return made;
  }

  cell(column, row) {
    const text = column.text(row);
    const cell = element(column.key === "training" ? "th" : "td", { className: this.classOf(column) });
    if (column.key === "training") cell.scope = "row";
    if (text.lines) cell.append(...text.lines.map((line) => element("span", { className: "seed" }, line)));
    else if (text.mark) cell.append(element(text.mark === "best" ? "b" : "u", {}, text.main));
    else if (column.kind.startsWith("name")) cell.append(this.clipped("span", text.main));
    else cell.append(text.main);
    for (const note of [text.note, text.extra].filter(Boolean)) cell.append(column.kind.startsWith("name") ? this.clipped("small", note) : element("small", {}, note));
    for (const mark of text.marks || []) cell.append(element("small", { className: "mark", title: text.title || "" }, mark));
    return cell;
  }

  // Only what is long: a box that clips takes several times as long to lay out.
  clipped(tag, text) {
    return text.length > 60 ? element(tag, { className: "clip", title: text }, text) : element(tag, {}, text);
  }

  classOf(column) {
    const before = this.columns[this.columns.indexOf(column) - 1];
    return column.kind + ((column.group || "") !== ((before && before.group) || "") ? " first" : "");
  }

  columnWidths() {
    return element("colgroup", {}, ...this.columns.map((column) => element("col", { className: column.kind })));
  }

  head(state, onSort) {
    const top = element("tr"), sets = element("tr");
    this.columns.forEach((column, i) => {
      const before = this.columns[i - 1];
      if (column.group && !(before && before.group === column.group)) {
        const span = this.columns.filter((other) => other.group === column.group).length;
        const group = element("th", { colSpan: span, scope: "colgroup", className: "group " + column.group }, element("span", {}, column.groupTitle));
        if (column.groupRole) group.append(" ", element("span", { className: "role" }, column.groupRole));
        top.append(group);
      }
      const head = element("th", { scope: "col", className: this.classOf(column), rowSpan: column.group ? 1 : 2 });
      const button = element("button", { type: "button" }, element("span", { title: column.role || "" }, column.title.replace("tproc", "t\u00adproc")));
      if (column.metric) button.append(" ", element("small", {}, column.metric));
      button.addEventListener("click", () => onSort(column));
      if (state.sort.key === column.key) head.ariaSort = state.sort.down ? "descending" : "ascending";
      button.dataset.key = column.key;
      head.append(button);
      (column.group ? sets : top).append(head);
    });
    return element("thead", {}, top, sets);
  }
}

const whenIdle = (then) => (window.requestIdleCallback ? requestIdleCallback(then, { timeout: 200 }) : setTimeout(then, 10));
const cancelIdle = (id) => (window.cancelIdleCallback ? cancelIdleCallback(id) : clearTimeout(id));

class Page {
  constructor() {
    this.words = JSON.parse(byId("words").textContent);
    this.panels = [...document.querySelectorAll("section.board")].map((section) => new Panel(section, this.words));
    if (this.panels.length === 0) return;
    this.tabs = [...document.querySelectorAll("[role=tab]")];
    this.readState();
    this.prepare();
    this.show();
  }

  get panel() {
    return this.panels.find((panel) => panel.id === this.state.board);
  }

  readState() {
    this.state = stateFromHash(location.hash, this.panels.map((panel) => panel.id), this.words);
  }

  // Everything a person changes goes through here: shown, and put into the address.
  change(values) {
    Object.assign(this.state, values);
    this.show();
    const hash = stateToHash(this.state, this.panels[0].id);
    history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
  }

  prepare() {
    document.querySelector("main").classList.add("live");
    for (const hidden of document.querySelectorAll(".tabs, .controls, .theme")) hidden.hidden = false;
    this.panels.forEach((panel, i) => {
      panel.section.role = "tabpanel";
      panel.section.setAttribute("aria-labelledby", this.tabs[i].id);
    });
    this.prepareTabs();
    for (const [id, key] of [["group", "group"], ["stat", "stat"], ["theme", "theme"]])
      byId(id).addEventListener("change", (event) => this.change({ [key]: event.target.value }));
    byId("search").addEventListener("input", (event) => this.change({ query: event.target.value.trim() }));
    byId("reset").addEventListener("click", () => this.change({ ...structuredClone(kDefaults), board: this.state.board, theme: this.state.theme }));
    for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => this.copy(button.dataset.copy, button.textContent));
    this.prepareMetrics();
    this.prepareMenus();
    addEventListener("hashchange", () => { this.readState(); this.show(); });
    addEventListener("beforeprint", () => this.panels.forEach((panel) => panel.show(this.stateFor(panel), () => {}, true)));
    addEventListener("afterprint", () => this.show());
  }

  stateFor(panel) {
    return { ...this.state, board: panel.id };
  }

  prepareTabs() {
    const go = (i) => {
      const to = (i + this.tabs.length) % this.tabs.length;
      this.change({ board: this.panels[to].id });
      this.tabs[to].focus();
    };
    const keys = { ArrowRight: (i) => i + 1, ArrowLeft: (i) => i - 1, Home: () => 0, End: () => -1 };
    this.tabs.forEach((tab, i) => {
      tab.addEventListener("click", () => this.change({ board: this.panels[i].id }));
      tab.addEventListener("keydown", (event) => {
        if (!keys[event.key]) return;
        event.preventDefault();
        go(keys[event.key](i));
      });
    });
  }

  prepareMetrics() {
    for (const metric of this.words.metrics.filter((one) => one.key !== "accuracy")) {
      const button = element("button", { type: "button" }, metric.title);
      button.dataset.metric = metric.key;
      button.addEventListener("click", () => {  // in their fixed order; one at least
        const chosen = this.words.metrics.map((one) => one.key).filter((key) => this.state.metrics.includes(key) !== (key === metric.key));
        if (chosen.length > 0) this.change({ metrics: chosen });
      });
      byId("metrics").append(button);
    }
  }

  // Menus are <details>: one is open at a time, Escape and a click elsewhere close it.
  prepareMenus() {
    for (const [key, title] of kFactors) {
      const menu = element("details", { className: "menu" }, element("summary", {}, title), element("div", { className: "choices", role: "group", ariaLabel: title + " shown" }));
      menu.dataset.factor = key;
      byId("filters").append(menu);
    }
    const close = (but) => document.querySelectorAll("details.menu[open]").forEach((menu) => { if (menu !== but) menu.open = false; });
    document.addEventListener("click", (event) => close(event.target.closest("details.menu")));
    document.addEventListener("keydown", (event) => {
      const open = document.querySelector("details.menu[open]");
      if (event.key !== "Escape" || !open) return;
      open.open = false;
      open.querySelector("summary").focus();
    });
  }

  show() {
    const state = this.state;
    document.documentElement.dataset.theme = state.theme;
    this.panels.forEach((panel, i) => {
      const chosen = panel.id === state.board;
      panel.section.hidden = !chosen;
      this.tabs[i].ariaSelected = String(chosen);
      this.tabs[i].tabIndex = chosen ? 0 : -1;
    });
    const focused = document.activeElement && document.activeElement.dataset.key;
    this.panel.show(state, (column) => this.sort(column), false);
    if (focused) this.panel.table.querySelector(`thead button[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    this.showControls();
  }

  sort(column) {
    const same = this.state.sort.key === column.key;
    this.change({ sort: { key: column.key, down: same ? !this.state.sort.down : Boolean(column.downFirst) } });
  }

  showControls() {
    const state = this.state, board = this.panel.board;
    for (const id of ["group", "stat", "theme"]) byId(id).value = state[id];
    if (byId("search").value.trim() !== state.query) byId("search").value = state.query;
    for (const button of document.querySelectorAll("[data-metric]")) button.ariaPressed = String(state.metrics.includes(button.dataset.metric));
    for (const menu of document.querySelectorAll("[data-factor]")) {
      const key = menu.dataset.factor, names = [...new Set(board.rows.map((row) => row[key] || ""))].sort();
      menu.hidden = names.length < 2 && state[key].length === 0;
      const chosen = state[key].length;
      menu.querySelector("summary").textContent = kFactors.find((factor) => factor[0] === key)[1] + (chosen > 0 ? ": " + chosen + " of " + names.length : "");
      menu.classList.toggle("active", chosen > 0);
      this.showChoices(menu, names.map((name) => ({ key: name, title: name || "–", on: state[key].includes(name) })),
        (name, on) => this.change({ [key]: on ? state[key].concat(name) : state[key].filter((other) => other !== name) }));
    }
    byId("columns").classList.toggle("active", state.columns.length > 0);
    this.showChoices(byId("columns"), columnChoices(board).map((choice) => ({ ...choice, on: isColumnShown(choice, state) })),
      (key) => this.change({ columns: state.columns.includes(key) ? state.columns.filter((other) => other !== key) : state.columns.concat(key) }));
    const shown = this.panel.sections.reduce((sum, section) => sum + section.rows.length, 0);
    this.say(shown === board.rows.length ? shown + (shown === 1 ? " row" : " rows") : shown + " of " + board.rows.length + " rows");
  }

  // Made anew only where another board has other names: what has the focus keeps it.
  showChoices(menu, choices, onChange) {
    const list = menu.querySelector(".choices"), key = JSON.stringify(choices.map((choice) => choice.key));
    if (list.dataset.choices !== key) {
      list.replaceChildren(...choices.map((choice) => {
        const box = element("input", { type: "checkbox" });
        return element("label", {}, box, element("bdi", {}, choice.title));
      }));
      list.dataset.choices = key;
    }
    list.querySelectorAll("input").forEach((box, i) => {
      box.checked = choices[i].on;
      box.onchange = () => onChange(choices[i].key, box.checked);
    });
  }

  say(text) {
    byId("count").textContent = text;
  }

  async copy(form, name) {
    const text = kCopies[form](this.panel.columns, this.panel.sections);
    try {
      await navigator.clipboard.writeText(text);
      this.say("Copied as " + name + ".");
    } catch {  // a browser that does not let pages write there
      const dialog = byId("copied");
      dialog.querySelector("textarea").value = text;
      dialog.showModal();
      dialog.querySelector("textarea").select();
    }
  }
}

new Page();
