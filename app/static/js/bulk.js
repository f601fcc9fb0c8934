// «Опубликовать несколько»: the order by dragging, and nothing typed is lost while a change is on its way.

import { $ } from "./dom.js";
import { visit } from "./navigation.js";

const form = () => $("#bulk-sheet");
const rows = () => [...document.querySelectorAll("#bulk-rows > [data-clip]")];
const renew = () => window.htmx.trigger(form(), "renew");

// The chosen clips open the sheet in this page.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button?.dataset.visit === undefined) return;
  event.preventDefault();
  visit(`${button.formAction}?${new URLSearchParams(new FormData(event.target))}`);
});

// A response that is older than what was typed since would put the old text back: the form is sent once more instead.
let typed = false;
document.addEventListener("input", ({ target }) => {
  if (form()?.contains(target)) typed = true;
});
document.body.addEventListener("htmx:beforeRequest", ({ detail }) => {
  if (detail.elt === form()) typed = false;
});
document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.requestConfig.elt !== form() || !typed || !detail.shouldSwap) return;
  if (detail.requestConfig.path.endsWith("/publish") && detail.xhr.status === 200) return;
  detail.shouldSwap = false;
  const writing = document.activeElement?.matches("input[type=text], textarea") && form().contains(document.activeElement);
  if (!writing) renew(); // else its own change does, when the field is left
});

// Dragging
let dragged = null;

function place(y) {
  const others = rows().filter((row) => row !== dragged);
  const next = others.find((row) => {
    const box = row.getBoundingClientRect();
    return y < box.top + box.height / 2;
  });
  if ((next ?? null) !== dragged.nextElementSibling) dragged.parentElement.insertBefore(dragged, next ?? null);
}

function drop(undone) {
  if (!dragged) return;
  dragged.classList.remove("dragged");
  const { before, parent } = dragged.home;
  if (undone) parent.insertBefore(dragged, before);
  const moved = dragged.nextElementSibling !== before;
  delete dragged.home;
  dragged = null;
  if (moved) renew();
}

document.addEventListener("pointerdown", (event) => {
  const handle = event.target.closest("[data-handle]");
  if (!handle || event.button) return;
  event.preventDefault();
  handle.setPointerCapture(event.pointerId);
  dragged = handle.closest("[data-clip]");
  dragged.home = { before: dragged.nextElementSibling, parent: dragged.parentElement };
  dragged.classList.add("dragged");
});
document.addEventListener("pointermove", (event) => {
  if (!dragged) return;
  const edge = 80;
  if (event.clientY < edge) window.scrollBy(0, -12);
  else if (event.clientY > window.innerHeight - edge) window.scrollBy(0, 12);
  place(event.clientY);
});
document.addEventListener("pointerup", () => drop(false));
document.addEventListener("pointercancel", () => drop(true));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !dragged) return;
  event.preventDefault();
  drop(true);
});
