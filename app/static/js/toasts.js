// Short messages in a corner: those that the server sends as the event `toast`, and our own.
//
// They go after some seconds, but not while the pointer or the focus is on them; errors stay until they are closed.

import { $ } from "./dom.js";

const TOAST_MS = 6000;

// `undo`: the address that takes the change back. `link`: {url, label}, opened in a new tab. `ms`: how long it stays.
export function toast(text, kind = "ok", { undo = null, link = null, ms = TOAST_MS } = {}) {
  const one = $("#toast").content.firstElementChild.cloneNode(true);
  one.classList.add(kind);
  $("[data-text]", one).textContent = text;
  if (undo) {
    const button = $("[data-undo]", one);
    button.hidden = false;
    button.addEventListener("click", () => {
      one.remove();
      window.htmx.ajax("POST", undo, { source: document.body, swap: "none" });
    });
  }
  if (link) {
    const anchor = $("[data-link]", one);
    Object.assign(anchor, { hidden: false, href: link.url, textContent: link.label });
  }
  show(one, ms);
}

function show(one, ms = Number(one.dataset.ms) || TOAST_MS) {
  const same = [...document.querySelectorAll("#toasts .toast")].find((shown) => shown.textContent === one.textContent);
  if (!same || !offersUndo(same)) same?.remove(); // each of two cancels can be taken back
  $("#toasts").append(one);
  window.htmx.process(one); // from the server: its button «Вернуть»
  one.addEventListener("htmx:afterRequest", () => one.remove());
  if (one.classList.contains("error")) one.setAttribute("role", "alert");
  else fade(one, ms);
  $("[data-dismiss]", one)?.addEventListener("click", () => one.remove());
}

const offersUndo = (one) => $("[data-undo]:not([hidden])", one) !== null;

function fade(one, ms) {
  let timer;
  const go = () => (timer = setTimeout(() => one.remove(), ms));
  const stay = () => clearTimeout(timer);
  for (const event of ["pointerenter", "focusin"]) one.addEventListener(event, stay);
  for (const event of ["pointerleave", "focusout"]) one.addEventListener(event, go);
  go();
}

export const showAll = (toasts) => toasts.forEach((one) => show(one));

showAll(document.querySelectorAll("#toasts .toast"));
document.body.addEventListener("toast", ({ detail }) => toast(detail.text, detail.kind, detail));
document.body.addEventListener("htmx:sendError", ({ detail }) => {
  if (detail.elt.id !== "poll") toast("Нет связи с сервером. Проверьте интернет и попробуйте ещё раз.", "error");
});
