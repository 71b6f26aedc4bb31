// The table as shown, as text: `columns` and `sections` are those of leaderboard_view.js. Rows, their order and columns are the page's.

const lineOf = (text) => text.replace(/[\u0000-\u001f\u2028\u2029]+/g, " ");  // a line's end would end a row
const headOf = (column) => [column.group, column.title, column.metric].filter(Boolean).join(" ");

// What a cell shows, on one line.
function cellLine(text) {
  const number = text.lines ? text.lines.join(" / ") : text.main;
  const note = text.note && (text.note.startsWith("±") ? " " + text.note : " (" + text.note + ")");
  return lineOf(number + (note || "") + (text.extra ? " (" + text.extra + ")" : "") + (text.marks || []).map((mark) => "; " + mark).join(""));
}

function copyMarkdown(columns, sections) {
  const escaped = (text) => text.replace(/[\\|`*_\[\]]/g, "\\$&").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const isText = (column) => /name|text/.test(column.kind);
  const line = (cells) => "| " + cells.join(" | ") + " |\n";
  let out = line(columns.map((column) => escaped(lineOf(headOf(column))))) + line(columns.map((column) => (isText(column) ? ":---" : "---:")));
  for (const section of sections) {
    if (section.title) out += line(columns.map((column, i) => (i === 1 ? "**" + escaped(lineOf(section.title)) + "**" : "")));
    for (const row of section.rows) {
      out += line(columns.map((column) => {
        const text = column.text(row), cell = escaped(cellLine(text));
        return text.mark === "best" ? "**" + cell + "**" : text.mark === "second" ? "*" + cell + "*" : cell;
      }));
    }
  }
  return out;
}

// RFC 4180. A spread has a column of its own, so has each seed; a text that a spreadsheet would calculate gets a quote before it.
function copyCsv(columns, sections) {
  const field = (text) => {
    const safe = /^[=+\-@\t\r]/.test(text) && !/^-?[0-9.]+$/.test(text) ? "'" + text : text;
    return /[",\r\n]/.test(safe) ? '"' + safe.replace(/"/g, '""') + '"' : safe;
  };
  const isSpread = (column) => column.stat === "std" || column.stat === "ci";
  const seedCount = (column) => Math.max(1, ...sections.flatMap((section) => section.rows.map((row) => (column.text(row).lines || []).length)));
  const counts = columns.map((column) => (column.stat === "seeds" ? seedCount(column) : 1));
  const spreadName = { std: " std", ci: " 95% half width" };
  const seedLists = new Set(sections.flatMap((section) => section.rows.map((row) => row.seeds)));  // rows with others: by place
  const seedName = (place) => (seedLists.size === 1 ? [...seedLists][0].split(", ")[place] : "no. " + (place + 1));
  const heads = ["part"];
  columns.forEach((column, i) => {
    for (let seed = 0; seed < counts[i]; ++seed) heads.push(headOf(column) + (counts[i] > 1 ? " seed " + seedName(seed) : ""));
    if (isSpread(column)) heads.push(headOf(column) + spreadName[column.stat]);
    else if (/name|rank/.test(column.kind)) heads.push(headOf(column) + (column.kind === "rank" ? " interval" : " parameters"));
    else if (column.kind === "seeds") heads.push("Marks");
  });
  let out = heads.map(field).join(",") + "\n";
  for (const section of sections) {
    for (const row of section.rows) {
      const cells = [row.part];
      columns.forEach((column, i) => {
        const text = column.text(row), none = text.main === "–";
        if (counts[i] > 1) for (let seed = 0; seed < counts[i]; ++seed) cells.push(text.lines ? text.lines[seed] || "" : seed === 0 && !none ? text.main : "");
        else cells.push(none ? "" : text.main);
        if (isSpread(column)) cells.push((text.note || "").replace("± ", ""));
        else if (/name|rank/.test(column.kind)) cells.push(text.note || "");
        else if (column.kind === "seeds") cells.push((text.marks || []).join(";"));
      });
      out += cells.map((cell) => field(lineOf(cell))).join(",") + "\n";
    }
  }
  return out;
}

// booktabs; a name is plain text whatever characters it has.
function copyLatex(columns, sections) {
  const escapes = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}",
    '"': "\\textquotedbl{}", "–": "--", "±": "$\\pm$" };
  const escaped = (text) => lineOf(text).replace(/[\\~^<>|"–±{}$&#_%]/g, (c) => escapes[c] || "\\" + c);
  const arrow = (column) => (column.column ? (column.downFirst ? " $\\uparrow$" : " $\\downarrow$") : "");
  const line = (cells) => "    " + cells.join(" & ") + " \\\\\n";
  let out = "% \\usepackage{booktabs}\n\\begin{tabular}{" + columns.map((column) => (/name|text/.test(column.kind) ? "l" : "r")).join("") + "}\n    \\toprule\n";
  const spans = [];  // [title, first, count] of columns of one group
  columns.forEach((column, i) => {
    const last = spans[spans.length - 1];
    if (last && last.group === (column.group || "")) ++last.count;
    else spans.push({ group: column.group || "", title: column.group ? column.groupTitle : "", first: i + 1, count: 1 });
  });
  out += line(spans.map((span) => "\\multicolumn{" + span.count + "}{c}{" + escaped(span.title) + "}"));
  out += "    " + spans.filter((span) => span.group).map((span) => "\\cmidrule(lr){" + span.first + "-" + (span.first + span.count - 1) + "}").join(" ") + "\n";
  out += line(columns.map((column) => escaped([column.title, column.metric].filter(Boolean).join(" ")) + arrow(column)));
  for (const section of sections) {
    out += "    \\midrule\n";
    if (section.title) out += "    \\multicolumn{" + columns.length + "}{l}{\\emph{" + escaped(section.title) + "}} \\\\\n";
    for (const row of section.rows) {
      out += line(columns.map((column) => {
        const text = column.text(row), cell = escaped(cellLine(text));
        return text.mark === "best" ? "\\textbf{" + cell + "}" : text.mark === "second" ? "\\underline{" + cell + "}" : cell;
      }));
    }
  }
  return out + "    \\bottomrule\n\\end{tabular}\n";
}

const kCopies = { latex: copyLatex, csv: copyCsv, markdown: copyMarkdown };
