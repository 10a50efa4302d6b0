// Copies the text of the field a button names; the button says so.
"use strict";
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  let copied = true;
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    copied = document.execCommand("copy"); // without TLS there is no clipboard API
  }
  button.textContent = copied ? "Copied" : "Selected: copy it by hand";
});
