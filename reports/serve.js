// Looks every few seconds whether the database has changed. A page of ours is fetched again then, and while something is at work, and its
// <main> put in place; a leaderboard is loaded again unless somebody is reading it. Without this the overview reloads itself.
(function () {
  "use strict";
  var kEvery = 3000, kReading = 30000;  // milliseconds
  var touched = 0;
  ["pointerdown", "keydown", "wheel", "touchmove"].forEach(function (name) {
    addEventListener(name, function () { touched = Date.now(); }, { passive: true });
  });
  function main() { return document.getElementById("live"); }
  var kind = main().getAttribute("data-live"), stamp = main().getAttribute("data-stamp");
  if (!kind) return;

  function say(text, withLink) {
    var news = document.getElementById("news");
    if (news.textContent.indexOf(text) === 0) return;
    news.textContent = text;
    if (!withLink) return;
    var link = document.createElement("a");
    link.href = "";
    link.textContent = "show";
    link.addEventListener("click", function (event) { event.preventDefault(); location.reload(); });
    news.append(" ", link);
  }

  function answer(url) {
    return fetch(url, { credentials: "same-origin", cache: "no-cache" }).then(function (response) {
      if (!response.ok) throw new Error(response.status === 401 ? "a token is needed" : "no results");
      return response;
    });
  }

  // Not under the hands of somebody who selects text or fills in the form.
  function inUse() {
    var active = document.activeElement;
    return String(getSelection()) !== "" || (active && active.form && main().contains(active));
  }

  function renew() {
    if (inUse()) return;
    return answer(location.href).then(function (response) { return response.text(); }).then(function (text) {
      var fresh = new DOMParser().parseFromString(text, "text/html").getElementById("live");
      if (!fresh || fresh.innerHTML === main().innerHTML || inUse()) return;
      var boxes = Array.prototype.map.call(main().querySelectorAll("pre, .scroll"), function (box) { return [box.scrollLeft, box.scrollTop]; });
      main().innerHTML = fresh.innerHTML;
      main().querySelectorAll("pre, .scroll").forEach(function (box, i) {
        if (boxes[i]) { box.scrollLeft = boxes[i][0]; box.scrollTop = boxes[i][1]; }
      });
    });
  }

  function look() {
    if (document.hidden) return Promise.resolve();
    return answer("/api/status.json").then(function (response) { return response.json(); }).then(function (status) {
      if (kind === "answer") return location.reload();
      var changed = stamp !== status.stamp;
      if (kind === "board") {
        if (!changed) return say("");
        if (Date.now() - touched > kReading) return location.reload();
        return say("New results:", true);
      }
      say("");
      stamp = status.stamp;
      if (changed || status.running.length > 0) return renew();
    });
  }

  // An answer about a hundred thousand cells takes a second: then it is asked for less often, for the sake of the run.
  function again() {
    var begun = Date.now();
    look().catch(function (error) {
      if (kind !== "answer") say("No answer (" + error.message + "); trying again.");
    }).then(function () { setTimeout(again, Math.max(kEvery, 20 * (Date.now() - begun))); });
  }
  setTimeout(again, kEvery);
})();
