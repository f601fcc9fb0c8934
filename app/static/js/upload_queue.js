// Which uploads there are, in the order of their rows, and which are sent now.

import { sum } from "./upload_row.js";
import { percentOf } from "./upload_texts.js";

const AT_ONCE = 3;
const changes = new EventTarget();

export const items = [];

export function startNext() {
  const sending = items.filter(({ state }) => state === "sending").length;
  items
    .filter(({ state }) => state === "waiting")
    .slice(0, Math.max(AT_ONCE - sending, 0))
    .forEach((item) => item.start());
}

export function changed() {
  total();
  changes.dispatchEvent(new Event("change"));
}

export function total() {
  const open = items.filter(({ state }) => state !== "done");
  const moving = open.filter(({ state }) => ["waiting", "sending", "paused"].includes(state));
  const of = (name) => moving.reduce((all, item) => all + item[name], 0);
  sum(open.length, moving.length ? percentOf(of("sent"), of("size")) : null);
}

export function nextChange() {
  return new Promise((resolve) => changes.addEventListener("change", resolve, { once: true }));
}
