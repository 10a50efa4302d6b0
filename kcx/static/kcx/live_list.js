// Keeps a list true while it is looked at: cells and counts change, choices and focus stay; a row that left says so.
"use strict";
(() => {
  const SECONDS = 10;
  const LEFT = "No longer on this page";
  const COUNTS = ["h1", ".kcx-pages"];
  const rowsOf = (root) => root.querySelectorAll("#result_list tr.data-row");
  const nameOf = (row) => row.querySelector(".kcx-key")?.closest("a")?.getAttribute("href");
  const holdsControl = (cell) => cell.querySelector("input, a") !== null;

  function renew(row, cells) {
    row.classList.remove("kcx-left");
    for (const [index, cell] of [...cells].entries()) {
      const shown = row.cells[index];
      if (!holdsControl(shown) && shown.innerHTML !== cell.innerHTML) shown.replaceWith(document.adoptNode(cell));
    }
  }

  // What it said is no longer known to be true: its key stays, and leads to the file as it is now.
  function takeLeave(row) {
    row.classList.add("kcx-left");
    for (const cell of row.cells) {
      if (!holdsControl(cell)) cell.textContent = cell.classList.contains("field-state") ? LEFT : "";
    }
  }

  function recount(page) {
    for (const selector of COUNTS) {
      const [shown, fresh] = [document, page].map((root) => root.querySelector(selector));
      if (shown && fresh && !shown.contains(document.activeElement) && shown.innerHTML !== fresh.innerHTML) {
        shown.replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
      }
    }
  }

  async function refresh() {
    if (document.visibilityState !== "visible") return;
    const answer = await fetch(window.location.href, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = new Map([...rowsOf(page)].map((row) => [nameOf(row), row]));
    for (const row of rowsOf(document)) {
      const now = fresh.get(nameOf(row));
      if (now) renew(row, now.cells);
      else takeLeave(row);
    }
    recount(page);
  }

  setInterval(() => refresh().catch(() => {}), SECONDS * 1000); // the next round tries again
})();
