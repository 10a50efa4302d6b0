// Rewrites every <time class="kcx-time"> into the reader's own zone; UTC stays in the title.
"use strict";
(() => {
  const two = (number) => String(number).padStart(2, "0");

  function localText(moment) {
    const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
    return `${day} ${two(moment.getHours())}:${two(moment.getMinutes())}`;
  }

  function rewrite(root) {
    for (const element of root.querySelectorAll("time.kcx-time:not([data-local])")) {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      element.textContent = localText(moment);
      element.dataset.local = "yes";
    }
  }

  document.addEventListener("DOMContentLoaded", () => rewrite(document));
  // What htmx puts into the page later.
  document.addEventListener("htmx:load", (event) => rewrite(event.target.parentNode ?? document));
})();
