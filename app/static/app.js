// What htmx does not do: the one dialog, toasts, the pace of the poll. Every form works without this script.

const $ = (selector, root = document) => root.querySelector(selector);

// Dialog: htmx loads content into it, this opens it; the server closes it by the event `close-dialog`.

const dialog = $("#dialog");

let opener = null;

function openDialog() {
  if (!dialog.open) {
    opener = document.activeElement.id;
    dialog.showModal();
  }
  ($("[autofocus]", dialog) ?? dialog).focus();
}

if (dialog) {
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === dialog && dialog.childElementCount) openDialog();
  });
  document.body.addEventListener("close-dialog", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    const beside = event.target === dialog && !inside(dialog.getBoundingClientRect(), event);
    if (!beside && !event.target.closest("[data-close]")) return;
    event.preventDefault();
    dialog.close();
  });
  // Empty while closed: a video stops, and no secret stays in the page.
  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    // The browser gives the focus back to the button, but its card may have been swapped meanwhile.
    document.getElementById(opener)?.focus();
  });
  dialog.addEventListener("input", (event) => {
    const option = event.target.closest(".option");
    if (option) measure(option);
  });
}

function inside(box, { clientX, clientY }) {
  return clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
}

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

// Toasts

const TOAST_MS = 6000;

function toast(text, kind = "ok") {
  const one = $("#toast").content.firstElementChild.cloneNode(true);
  one.classList.add(kind);
  $("span", one).textContent = text;
  $("#toasts").append(one);
  fade(one);
}

function fade(one) {
  setTimeout(() => one.remove(), TOAST_MS);
}

document.querySelectorAll("#toasts .toast").forEach(fade);
document.body.addEventListener("toast", ({ detail }) => toast(detail.text, detail.kind));
document.body.addEventListener("htmx:sendError", ({ detail }) => {
  if (detail.elt.id !== "poll") toast("Нет связи с сервером. Проверьте интернет и попробуйте ещё раз.", "error");
});

// The poll: one for the page, as often as its cards need it. A hidden page does not poll; it does at once when it is
// shown again.

const EVERY_MS = { fast: 2000, slow: 30000 };
// After a change the poll stays fast for so long: the notification of it comes a moment later.
const AFTER_CHANGE_MS = 10000;
const poll = $("#poll");
let polledAt = Date.now();
let changedAt = -Infinity;

function sendPoll() {
  polledAt = Date.now();
  window.htmx.trigger(poll, "poll");
}

function pollWhenDue() {
  if (document.hidden) return;
  const changing = $('[data-pace="fast"]') || Date.now() - changedAt < AFTER_CHANGE_MS;
  const pace = changing ? "fast" : $('[data-pace="slow"]') ? "slow" : null;
  // A timer may fire a little early.
  if (pace && Date.now() - polledAt >= EVERY_MS[pace] - 100) sendPoll();
}

if (poll) {
  setInterval(pollWhenDue, EVERY_MS.fast);
  poll.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.xhr.status === 200) changedAt = Date.now();
  });
  const onShown = () => {
    if (!document.hidden && Date.now() - polledAt > 1000) sendPoll();
  };
  document.addEventListener("visibilitychange", onShown);
  window.addEventListener("focus", onShown);
}

// Sign-up: the browser knows its time zone.

const zone = $("[data-browser-zone]");
if (zone) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";

// Copies a text to the clipboard.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy);
  text.select();
  await navigator.clipboard.writeText(text.value);
  toast("Скопировано.");
});
