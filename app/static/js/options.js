// Publication options: what counts only under a condition, and what rules something out. Without a script all of it is
// shown, and the server does not count what should not.

import { $ } from "./dom.js";

const byName = (name) => document.getElementById(name);
const isShown = (field) => !field.closest("[data-shown-when]:not([data-shown])");

// As the server counts it: what is hidden has its default.
function valueOf(field) {
  if (field.type === "checkbox") return String(field.checked && !field.disabled && isShown(field));
  return isShown(field) ? field.value : "";
}

function showConditions() {
  for (const part of document.querySelectorAll("[data-shown-when]")) {
    const on = byName(part.dataset.shownWhen);
    part.toggleAttribute("data-shown", Boolean(on) && valueOf(on) === part.dataset.shownValue);
  }
}

// Either greys the other, whichever was chosen first.
function greyRuledOut() {
  for (const box of document.querySelectorAll("[data-rules-out]")) {
    const select = byName(box.dataset.rulesOut);
    const choice = select && [...select.options].find((one) => one.value === box.dataset.rulesOutValue);
    if (!choice) continue;
    const ticked = box.checked && isShown(box);
    choice.disabled = ticked;
    box.disabled = choice.selected && !box.checked;
    $("[data-ruled-out]", byName(`${box.id}-notes`)).hidden = !(ticked || box.disabled);
  }
}

function follow() {
  showConditions();
  greyRuledOut();
  showConditions(); // what a greyed box no longer says
}

document.addEventListener("change", ({ target }) => {
  if (target.closest(".option-fields")) follow();
});
document.body.addEventListener("htmx:afterSettle", ({ detail }) => {
  follow();
  const { target } = detail;
  const says = target.id?.startsWith("asked-") && document.getElementById(target.id)?.dataset.says;
  const status = says && document.getElementById(target.id).parentElement.querySelector("[data-answered]");
  if (status) status.textContent = says;
});
document.addEventListener("navigated", follow);
follow();
