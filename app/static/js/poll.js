// The page's one poll, as often as its cards need it: `data-pace`. A hidden page does not poll; it does at once when it
// is shown again.
//
// After a press, and after each change, it asks at 0.2, 0.4, 0.7, 1, 1.5, 2 and 3 seconds: most of what a person waits for
// has happened by then.

import { $ } from "./dom.js";

// Pauses between them.
const SOON_MS = [200, 200, 300, 300, 500, 500, 1000];
const EVERY_MS = { fast: 2000, slow: 30000 };
// After a change the poll stays fast for so long: the notification of it comes a moment later.
const AFTER_CHANGE_MS = 10000;

let changedAt = -Infinity;
let step = SOON_MS.length;
let timer;

const element = () => $("#poll");

function pause() {
  if (step < SOON_MS.length) return SOON_MS[step];
  const changing = $('[data-pace="fast"]') || Date.now() - changedAt < AFTER_CHANGE_MS;
  return changing ? EVERY_MS.fast : $('[data-pace="slow"]') ? EVERY_MS.slow : null;
}

function plan() {
  clearTimeout(timer);
  const watches = element() && $("[data-pace]") && !document.hidden;
  const after = watches ? pause() : null;
  if (after !== null) timer = setTimeout(send, after);
}

function send() {
  step += 1;
  if (element()) window.htmx.trigger(element(), "poll");
  plan();
}

// Something is about to change: asks soon, then less and less often.
export function lookSoon() {
  step = 0;
  plan();
}

document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  const { elt, xhr, requestConfig } = detail;
  if (elt.id === "poll") {
    if (xhr.status === 200) changedAt = Date.now();
    plan();
  } else if (requestConfig.verb !== "get") {
    lookSoon();
  }
});
// What is asked of things that go would be shown nowhere.
const giveUp = () => element() && window.htmx.trigger(element(), "htmx:abort");
document.addEventListener("leaving", giveUp);
document.body.addEventListener("htmx:beforeSwap", ({ detail }) => detail.target.id === "list" && giveUp());
// What has been swapped in may have to be watched: an uploaded clip, a page of a list.
document.body.addEventListener("htmx:afterSettle", plan);
document.addEventListener("visibilitychange", () => (document.hidden ? plan() : send()));
window.addEventListener("focus", send);
// The page has just been made: only what is changing has to be looked at soon.
const begin = () => ($('[data-pace="fast"]') ? lookSoon() : plan());
document.addEventListener("navigated", begin);
begin();
