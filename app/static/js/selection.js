// Choosing clips or publications for what is done with several at once: shift for a range, a long press on a clip on a
// phone, Esc for none.
//
// The choice is kept here, by id: a card that a poll renews comes without its tick.

import { $ } from "./dom.js";

const BOX = "[type=checkbox][form=bulk]";
const LONG_PRESS_MS = 500;

const chosen = new Set();
let last = null; // the checkbox from which a range goes
let pressing = null;
let pressed = false; // a long press has just chosen: its click does nothing more

const boxes = () => [...document.querySelectorAll(BOX)];

function show() {
  const there = boxes();
  for (const id of chosen) if (!there.some((box) => box.value === id)) chosen.delete(id);
  for (const box of there) box.checked = chosen.has(box.value);
  const count = $("#bulk-count");
  if (!count) return;
  const number = found()?.disabled === false ? Number(found().dataset.count) : chosen.size;
  const text = `${number === 1 ? count.dataset.one : count.dataset.many}: ${number}`;
  if (chosen.size && count.textContent !== text) count.textContent = text;
}

function choose(box, on) {
  if (on) chosen.add(box.value);
  else chosen.delete(box.value);
  if (!on) onlyShown();
}

// Also what matches on the other pages of the list: the server finds it by the filters.
const found = () => $("#bulk-found");
function onlyShown() {
  if (found()) found().disabled = true;
}

document.addEventListener("click", (event) => {
  const box = event.target.closest(BOX);
  if (box) {
    const there = boxes();
    const [from, to] = [there.indexOf(last), there.indexOf(box)].sort((one, other) => one - other);
    if (event.shiftKey && from >= 0) for (const one of there.slice(from, to + 1)) choose(one, box.checked);
    else choose(box, box.checked);
    last = box;
    show();
  } else if (event.target.closest("[data-choose-all], [data-choose-found]")) {
    for (const one of boxes()) choose(one, true);
    if (event.target.closest("[data-choose-found]")) found().disabled = false;
    show();
  } else if (event.target.closest("[data-choose-none]")) {
    clear();
  }
});

function clear() {
  chosen.clear();
  onlyShown();
  show();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || !chosen.size || $("#window").open) return;
  event.preventDefault();
  clear();
});

// A long press
const letGo = () => clearTimeout(pressing);
document.addEventListener("pointerdown", (event) => {
  pressed = false;
  letGo();
  const card = event.pointerType === "touch" && event.target.closest("#clips article");
  if (!card) return;
  pressing = setTimeout(() => {
    const box = $("[name=clip]", card);
    choose(box, !box.checked);
    pressed = true;
    show();
  }, LONG_PRESS_MS);
});
for (const end of ["pointerup", "pointercancel", "scroll"]) document.addEventListener(end, letGo, { passive: true });
document.addEventListener("contextmenu", (event) => pressed && event.preventDefault());
document.addEventListener(
  "click",
  (event) => {
    if (!pressed) return;
    pressed = false;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);

document.body.addEventListener("htmx:afterSettle", show);
document.body.addEventListener("htmx:afterRequest", show); // of what was only deleted there is no other event
document.addEventListener("navigated", clear);
document.addEventListener("input", ({ target }) => target.closest("#filters") && found() && clear());
