// Copies a text to the clipboard: a button `data-copy` names the field that holds it.

import { toast } from "./toasts.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy);
  text.select();
  // Browsers have no clipboard on plain http.
  if (navigator.clipboard) await navigator.clipboard.writeText(text.value);
  else if (!document.execCommand("copy")) {
    toast("Браузер не дал скопировать: текст выделен, нажмите Ctrl+C.", "error");
    return;
  }
  toast("Скопировано.");
});
