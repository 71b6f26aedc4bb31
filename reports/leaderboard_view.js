"use strict";
// What a board shows for a state: its columns, rows and texts. Pure functions of data and state; nothing here touches the page.
//
// A state: board (id), metrics (keys), stat ("mean", "std", "ci", "seeds"), sort {key, down}, training, post, architecture (chosen names; none = all), query,
// group ("", "training", "post", "architecture"), columns (keys shown or hidden against the default), theme.

const kDefaults = {
  board: "", metrics: ["auroc"], stat: "std", sort: { key: "rank", down: false }, training: [], post: [], architecture: [], query: "", group: "", columns: [],
  theme: "auto",
};
const kFactors = [["training", "Training"], ["post", "Postprocessor"], ["architecture", "Architecture"]];
const kMeanMetrics = ["auroc", "fpr95"];  // of near and far, whatever is chosen for the sets

const hundredths = (value) => (value < 0 ? "-" : "") + Math.floor(Math.abs(value) / 100) + "." + String(Math.abs(value) % 100).padStart(2, "0");

// The board's JSON with marks as sets of rows, and each row with its place.
function readBoard(text, words) {
  const board = JSON.parse(text);
  let seeds = 0;
  board.rows.forEach((row, place) => {
    row.place = place;
    row.firstSeed = seeds;  // where its numbers begin in each list of bySeed
    if (row.count > 1) seeds += row.count;
    row.part = row.published ? "published" : row.rank ? "ranked" : "unranked";
    row.words = [row.training, row.details, row.architecture, row.post, row.params, row.tuned, ...(row.marks || [])].join("\n").toLowerCase();
  });
  const metrics = new Map(words.metrics.map((metric) => [metric.key, metric]));
  board.columns.forEach((column, index) => {
    column.index = index;
    column.key = column.group + "." + column.dataset;
    column.metric = metrics.get(column.metric);
    column.best = new Set(board.best[index]);
    column.second = new Set(board.second[index]);
  });
  return board;
}

// {main, note, mark} of a number, or null: "93.21", "± 0.12", "best".
function numberText(board, column, row, stat) {
  const mean = board.mean[column.index][row.place];
  if (mean === null) return null;
  const spread = stat === "std" ? board.std[column.index][row.place] : stat === "ci" ? board.half[column.index][row.place] : null;
  const text = { main: hundredths(mean), note: spread === null ? "" : "± " + hundredths(spread), lines: null };
  if (stat === "seeds" && row.count > 1) {
    const differences = board.bySeed[column.index].slice(row.firstSeed, row.firstSeed + row.count).filter((difference) => difference !== null);
    if (differences.length > 0) text.lines = differences.map((difference) => hundredths(mean + difference));
  }
  text.mark = column.best.has(row.place) ? "best" : column.second.has(row.place) ? "second" : "";
  return text;
}

// Columns that are no measurements. `text` has what is shown and copied, `value` what sorts.
function plainColumn(key, title, kind, text, value, best) {
  return { key, title, kind, text, value, downFirst: best === "high" };
}
const named = (row, name, details) => ({ main: row[name] || "–", note: row[details] || "" });
const timed = (pair, device) => ({ main: pair ? pair[1] : "–", note: pair && device ? device : "" });

function rankColumn() {
  const text = (row) => {
    const many = row.interval && row.interval[0] !== row.interval[1];
    return { main: row.rank ? String(row.rank) : "–", note: many ? row.interval[0] + "–" + row.interval[1] : "", bracket: true };
  };
  return plainColumn("rank", "Rank", "rank", text, (row) => row.rank || null);
}

function numberColumn(board, column, stat) {
  const isId = column.group === "id";
  const text = (row) => {
    const number = numberText(board, column, row, stat);
    if (!number) return { main: "–", note: "" };
    if (isId && row.classifier) number.extra = row.classifier;
    const doubt = row.doubts && row.doubts[column.index];
    if (doubt) Object.assign(number, { marks: ["doubtful"], title: doubt });
    return number;
  };
  return {
    key: isId ? "accuracy" : column.key + "." + column.metric.key, column, kind: column.dataset === "mean" ? "mean" : "", text,
    group: isId ? "" : column.group, groupTitle: column.groupTitle, groupRole: column.groupRole, role: column.role, stat,
    title: isId ? "ID accuracy" : column.dataset, metric: isId ? "" : column.metric.title,
    value: (row) => board.mean[column.index][row.place], downFirst: !column.metric.lower,
  };
}

// [{key, title, shown}]: what the menu of columns offers, with what is shown by default.
function columnChoices(board) {
  const choices = board.hasArchitectures || board.rows.some((row) => row.published) ? [{ key: "architecture", title: "Architecture", shown: board.hasArchitectures }] : [];
  for (const column of board.columns) {
    if (column.group !== "id" && !choices.some((choice) => choice.key === column.key))
      choices.push({ key: column.key, title: column.group + " " + column.dataset, shown: true });
  }
  for (const [key, title] of [["accuracy", "ID accuracy"], ["seeds", "Seeds"], ["tuned", "Tuned on"], ["score", "Score time"], ["train", "Train time"]])
    choices.push({ key, title, shown: true });
  return choices;
}

function isColumnShown(choice, state) {
  return choice.shown !== state.columns.includes(choice.key);
}

function shownColumns(board, state) {
  const shown = new Set(columnChoices(board).filter((choice) => isColumnShown(choice, state)).map((choice) => choice.key));
  const columns = [rankColumn(), plainColumn("training", "Training", "name training", (row) => named(row, "training", "details"), (row) => row.training + " " + (row.details || "")),
    plainColumn("post", "Postprocessor", "name post", (row) => named(row, "post", "params"), (row) => row.post + " " + (row.params || ""))];
  if (shown.has("architecture")) columns.push(plainColumn("architecture", "Architecture", "name", (row) => named(row, "architecture", ""), (row) => row.architecture || null));
  for (const column of board.columns) {
    const isChosen = state.metrics.includes(column.metric.key) || (column.dataset === "mean" && kMeanMetrics.includes(column.metric.key));
    if (column.group === "id" ? shown.has("accuracy") : shown.has(column.key) && isChosen) columns.push(numberColumn(board, column, state.stat));
  }
  const last = [
    plainColumn("seeds", "Seeds", "seeds", (row) => ({ main: row.count ? String(row.count) : "–", note: "", marks: row.marks || [] }), (row) => row.count || null, "high"),
    plainColumn("tuned", "Tuned on", "text", (row) => ({ main: row.tuned || "–", note: "" }), (row) => row.tuned || null),
    plainColumn("score", "Score time", "", (row) => timed(row.score, row.device), (row) => (row.score ? row.score[0] : null)),
    plainColumn("train", "Train time", "", (row) => timed(row.train, ""), (row) => (row.train ? row.train[0] : null)),
  ];
  return columns.concat(last.filter((column) => shown.has(column.key)));
}

function matches(row, state) {
  for (const [key] of kFactors) {
    if (state[key].length > 0 && !state[key].includes(row[key] || "")) return false;
  }
  return state.query.toLowerCase().split(/\s+/).every((word) => row.words.includes(word));
}

// Rows without a value come last, either way; equal ones as the board has them.
function sortRows(rows, column, down) {
  const keyed = rows.map((row) => {
    const value = column.value(row);
    return { row, value: typeof value === "string" ? value.toLowerCase() : value };
  });
  const sign = down ? -1 : 1;
  keyed.sort((a, b) => {
    if (a.value === b.value) return a.row.place - b.row.place;
    if (a.value === null) return 1;
    if (b.value === null) return -1;
    return a.value < b.value ? -sign : sign;
  });
  return keyed.map((entry) => entry.row);
}

const kParts = [["ranked", ""], ["unranked", "Not ranked"], ["published", "Published elsewhere"]];

// [{title, part, rows}] in the order shown: by part; with a grouping by its names, the group of the first row first, and published rows apart.
function shownSections(board, state, columns) {
  const column = columns.find((one) => one.key === state.sort.key) || columns[0];
  const rows = board.rows.filter((row) => matches(row, state));
  const sorted = kParts.map(([part, title]) => ({ part, title, rows: sortRows(rows.filter((row) => row.part === part), column, state.sort.down) }));
  if (!state.group) return sorted.filter((section) => section.rows.length > 0);
  const groups = new Map();
  for (const row of sorted[0].rows.concat(sorted[1].rows)) {
    const name = row[state.group] || "–";
    if (!groups.has(name)) groups.set(name, { part: "group", title: name, rows: [] });
    groups.get(name).rows.push(row);
  }
  return [...groups.values(), sorted[2]].filter((section) => section.rows.length > 0);
}

// The state as the part of an address after #, only what differs from the default; and back. Unknown words of an address count for nothing.
function stateToHash(state, firstBoard) {
  const hash = new URLSearchParams();
  if (state.board !== firstBoard) hash.set("board", state.board);
  for (const key of ["metrics", "training", "post", "architecture", "columns"]) {
    if (state[key].join() === kDefaults[key].join()) continue;
    state[key].forEach((value) => hash.append(key, value));
  }
  for (const key of ["stat", "query", "group", "theme"]) {
    if (state[key] !== kDefaults[key]) hash.set(key, state[key]);
  }
  if (state.sort.key !== "rank" || state.sort.down) hash.set("sort", (state.sort.down ? "-" : "") + state.sort.key);
  return hash.toString();
}

function stateFromHash(text, boards, words) {
  const hash = new URLSearchParams(text.replace(/^#/, ""));
  const state = structuredClone(kDefaults);
  state.board = boards.includes(hash.get("board")) ? hash.get("board") : boards[0];
  const known = words.metrics.map((metric) => metric.key).filter((key) => key !== "accuracy");
  const metrics = known.filter((key) => hash.getAll("metrics").includes(key));
  if (metrics.length > 0) state.metrics = metrics;
  for (const key of ["training", "post", "architecture", "columns"]) state[key] = hash.getAll(key);
  for (const [key, values] of [["stat", ["mean", "std", "ci", "seeds"]], ["group", ["training", "post", "architecture"]], ["theme", ["light", "dark"]]]) {
    if (values.includes(hash.get(key))) state[key] = hash.get(key);
  }
  state.query = hash.get("query") || "";
  const sort = hash.get("sort");
  if (sort) state.sort = { key: sort.replace(/^-/, ""), down: sort.startsWith("-") };
  return state;
}
