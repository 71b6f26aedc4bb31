// Sorts tables by a column and chooses the metric shown for each data set. Without it the page shows the ranking by AUROC.
(function () {
  "use strict";

  // A set's cell holds one value per metric; the others hold one.
  function keyOf(row, column, metric) {
    var cell = row.cells[column];
    var value = cell.classList.contains("set") ? cell.querySelector("." + metric) : cell.querySelector(".value") || cell;
    var text = value ? value.getAttribute("data-value") : null;
    if (text === null || text === "") return null;
    var number = Number(text);
    return isNaN(number) ? text.toLowerCase() : number;
  }

  function compare(a, b, descending) {
    if (a === b) return 0;
    if (a === null) return 1;  // rows without a value stay below
    if (b === null) return -1;
    return (a < b) === descending ? 1 : -1;
  }

  function sort(table, header, column, descending) {
    table.querySelectorAll("th[aria-sort]").forEach(function (other) { other.removeAttribute("aria-sort"); });
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    Array.prototype.forEach.call(table.tBodies, function (body) {  // unranked rows stay below the ranked ones
      var rows = Array.prototype.map.call(body.rows, function (row, place) {
        return { row: row, place: place, key: keyOf(row, column, table.getAttribute("data-metric")) };
      });
      rows.sort(function (a, b) { return compare(a.key, b.key, descending) || a.place - b.place; });
      rows.forEach(function (entry) { body.appendChild(entry.row); });
    });
  }

  document.querySelectorAll("main table").forEach(function (table) {
    var top = Array.prototype.slice.call(table.tHead.rows[0].cells);
    var sets = Array.prototype.slice.call(table.tHead.rows[1].cells);
    var leaves = top.slice(0, 3).concat(sets, top.slice(-2));  // in the order of the body's cells
    leaves.forEach(function (header, column) {
      header.querySelector("button").addEventListener("click", function () {
        var names = header.classList;
        var isFpr = names.contains("fpr95") || (names.contains("set") && table.getAttribute("data-metric") === "fpr95");
        var ascendingFirst = !names.contains("num") || names.contains("rank") || isFpr;  // the best first
        var now = header.getAttribute("aria-sort");
        sort(table, header, column, now ? now === "ascending" : !ascendingFirst);
      });
    });

    var buttons = table.closest("section").querySelectorAll(".metrics button");
    buttons.forEach(function (button) {
      button.addEventListener("click", function () {
        buttons.forEach(function (other) { other.setAttribute("aria-pressed", String(other === button)); });
        table.setAttribute("data-metric", button.getAttribute("data-metric"));
        table.querySelectorAll(".chosen").forEach(function (label) { label.textContent = button.textContent; });
        var sorted = table.querySelector("th.set[aria-sort]");
        if (sorted) sort(table, sorted, leaves.indexOf(sorted), sorted.getAttribute("aria-sort") === "descending");
      });
    });
  });
})();
