// What is typed or chosen in a field is what is meant: its button is pressed with it.

import { $ } from "./dom.js";

document.addEventListener("input", ({ target }) => {
  const button = target.dataset?.picks && $(`#${target.dataset.picks}`);
  if (button) button.checked = true;
});
