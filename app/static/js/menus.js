// Menus that are `<details data-menu>`: one at a time, closed by Esc, by a press outside and by a choice.

import { $ } from "./dom.js";

const opened = () => $("[data-menu][open]");

function close(menu, { focus = false } = {}) {
  menu.open = false;
  if (focus) $("summary", menu).focus();
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("[data-menu][open]")) {
    const within = menu.contains(event.target);
    if (!within || event.target.closest("a, button")) close(menu);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || !opened()) return;
  event.preventDefault();
  close(opened(), { focus: true });
});
