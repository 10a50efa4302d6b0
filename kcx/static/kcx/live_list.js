// Keeps the rows of a list true while it is looked at: the cells change, choices and focus stay.
"use strict";
(() => {
  const SECONDS = 10;
  const rowsOf = (root) => root.querySelectorAll("#result_list tr.data-row");
  const nameOf = (row) => row.querySelector(".kcx-key")?.closest("a")?.getAttribute("href");

  async function refresh() {
    if (document.visibilityState !== "visible") return;
    const answer = await fetch(window.location.href, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = new Map([...rowsOf(page)].map((row) => [nameOf(row), row]));
    for (const row of rowsOf(document)) {
      const cells = fresh.get(nameOf(row))?.cells ?? [];
      for (const [index, cell] of [...cells].entries()) {
        const shown = row.cells[index];
        const holdsControl = shown.querySelector("input, a") !== null;
        if (!holdsControl && shown.innerHTML !== cell.innerHTML) shown.replaceWith(document.adoptNode(cell));
      }
    }
  }

  setInterval(() => refresh().catch(() => {}), SECONDS * 1000); // the next round tries again
})();
