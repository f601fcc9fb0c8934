// The publish dialog: counts while the user types.

import { $ } from "./dom.js";

// The length of a title, and of the text where a platform takes both as one, against the platform's limits. An emoji is
// one character. The server's count decides.
function measure(option) {
  const parts = [$("[data-title]", option)?.value.trim(), $("[data-description]", option)?.value.trim()];
  const titleNote = $("[data-title-limit]", option);
  if (titleNote) titleNote.hidden = [...parts[0]].length <= Number(titleNote.dataset.titleLimit);
  const counter = $("[data-counter]", option);
  if (!counter) return;
  const length = [...parts.filter(Boolean).join("\n\n")].length;
  const limit = Number(counter.dataset.counter);
  counter.textContent = `${length} из ${limit}`;
  counter.classList.toggle("over", length > limit);
}

$("#dialog").addEventListener("input", (event) => {
  const option = event.target.closest(".option");
  if (option) measure(option);
});
