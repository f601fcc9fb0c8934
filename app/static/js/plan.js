// The plan: an item is dragged to another day or hour, by mouse or after a long press, or moved by Shift and the arrows.
// What can be moved has `data-clip`, `data-from` and `data-local`; days and hours that take it have `data-drop`.
//
// The server decides: it answers with the plan as it is now, or with the window in which another time can be chosen.
// Esc, and a drop beside a day, leave everything as it was.

import { $ } from "./dom.js";
import { addDays, addMinutes, parse, timeOf, toLocal } from "./local-time.js";

const MOUSE_PX = 6; // before that it is a press
const TOUCH_PX = 10; // before the long press is over: the page is scrolled
const LONG_PRESS_MS = 350;
const EDGE_PX = 72;
const SCROLL_PX = 14;

let held = null; // the item under the pointer: what is needed until it is dropped
let justDragged = false; // its click does nothing more

const calendar = () => $("#calendar");

function send(item, due) {
  const { clip, from } = item.dataset;
  const values = { clip, from, due: toLocal(due), csrf_token: $("#do [name=csrf_token]").value };
  item.classList.add("moving");
  return window.htmx
    .ajax("POST", calendar().dataset.move, { source: item, target: "#dialog", swap: "innerHTML", values })
    .finally(() => item.classList.remove("moving"));
}

// «2026-11-30» or «2026-11-30T14»: the item's own time of day stays, or its minutes.
function dueAt(item, drop) {
  const local = parse(item.dataset.local);
  const [day, hour] = drop.split("T");
  return parse(`${day}T${hour ? `${hour}:${timeOf(local).slice(3)}` : timeOf(local)}`);
}

// Dragging

function begin() {
  const { item, x, y } = held;
  const box = item.getBoundingClientRect();
  held.ghost = item.cloneNode(true);
  held.ghost.removeAttribute("id");
  held.ghost.classList.add("plan-ghost");
  held.ghost.inert = true;
  held.ghost.style.width = `${box.width}px`;
  held.shift = { x: x - box.left, y: y - box.top };
  document.body.append(held.ghost);
  item.classList.add("moving");
  calendar().classList.add("dragging");
  if (held.touch) navigator.vibrate?.(12);
  follow();
}

function follow() {
  const { ghost, shift, x, y } = held;
  ghost.style.translate = `${x - shift.x}px ${y - shift.y}px`;
  const over = document.elementFromPoint(x, y)?.closest("#calendar [data-drop]");
  if (over === held.over) return;
  held.over?.classList.remove("plan-target");
  over?.classList.add("plan-target");
  held.over = over;
}

function scroll() {
  if (!held?.ghost) return;
  const low = window.innerHeight - EDGE_PX - ($("#menu").offsetTop > window.innerHeight / 2 ? $("#menu").offsetHeight : 0);
  if (held.y < EDGE_PX + $(".top").offsetHeight) window.scrollBy(0, -SCROLL_PX);
  else if (held.y > low) window.scrollBy(0, SCROLL_PX);
  follow();
  requestAnimationFrame(scroll);
}

function end() {
  if (!held) return;
  clearTimeout(held.timer);
  held.ghost?.remove();
  held.over?.classList.remove("plan-target");
  held.item.classList.remove("moving");
  calendar()?.classList.remove("dragging");
  held = null;
}

document.addEventListener("pointerdown", (event) => {
  justDragged = false;
  const item = event.button === 0 && event.isPrimary && event.target.closest("#calendar [data-from]");
  if (!item || event.target.closest(".plan-move") || held) return;
  const touch = event.pointerType !== "mouse";
  held = { item, touch, id: event.pointerId, x: event.clientX, y: event.clientY, fromX: event.clientX, fromY: event.clientY };
  if (touch) {
    held.timer = setTimeout(() => {
      begin();
      requestAnimationFrame(scroll);
    }, LONG_PRESS_MS);
  }
});
document.addEventListener("pointermove", (event) => {
  if (held?.id !== event.pointerId) return;
  Object.assign(held, { x: event.clientX, y: event.clientY });
  const far = Math.hypot(held.x - held.fromX, held.y - held.fromY);
  if (held.ghost) follow();
  else if (held.touch && far > TOUCH_PX) end();
  else if (!held.touch && far > MOUSE_PX) {
    begin();
    requestAnimationFrame(scroll);
  }
});
document.addEventListener("pointerup", (event) => {
  if (held?.id !== event.pointerId) return;
  const { item, over, ghost } = held;
  justDragged = Boolean(ghost);
  end();
  const due = over && dueAt(item, over.dataset.drop);
  if (ghost && due && toLocal(due) !== item.dataset.local) send(item, due);
});
document.addEventListener("pointercancel", end);
document.addEventListener("dragstart", (event) => held && event.preventDefault());
document.addEventListener("contextmenu", (event) => held?.touch && event.preventDefault());
// A finger that drags does not scroll.
document.addEventListener("touchmove", (event) => held?.ghost && event.preventDefault(), { passive: false });
document.addEventListener(
  "click",
  (event) => {
    if (!justDragged) return;
    justDragged = false;
    event.preventDefault();
    event.stopPropagation();
  },
  true, // before the panel opens
);

// The page must not change under a drag: the next poll brings what this one would have.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (held?.ghost && event.detail.elt.id === "poll") event.preventDefault();
});
document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
  if (held?.ghost && event.detail.target.id === "calendar") event.preventDefault();
});

// Keys

function steps(local, key) {
  const week = calendar().querySelector(".plan-week") !== null;
  const down = week ? addMinutes(local, 60) : addDays(local, 7);
  const up = week ? addMinutes(local, -60) : addDays(local, -7);
  return { ArrowLeft: addDays(local, -1), ArrowRight: addDays(local, 1), ArrowUp: up, ArrowDown: down }[key];
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && held?.ghost) {
    event.preventDefault();
    end();
    justDragged = true;
    return;
  }
  const item = event.shiftKey && event.target.closest?.("#calendar [data-from]");
  const due = item && steps(parse(item.dataset.local), event.key);
  if (!due || item.classList.contains("moving")) return;
  event.preventDefault();
  send(item, due);
});
document.addEventListener("navigated", end);
