// The publish window: the accounts, when, one button whose words say what it will do, and the ticks after it.

import { $ } from "./dom.js";
import { addMinutes, nowOf, parse, shortWords, toLocal } from "./local-time.js";
import { refreshTexts, setUpTexts } from "./publish-texts.js";

const LOOK_MS = [300, 300, 400, 1000];
const LOOK_ON_MS = 2000;

const form = () => $("#publish");
const due = () => form().elements.due;
const calendar = () => $("[data-calendar]", form());
const isLater = () => form().elements.when.value === "later";
const queue = () => $("[data-accounts]:has(:checked)", form()); // of a set, if it is chosen
let keptDue = ""; // what another choice than «Запланировать» has taken out of the field

// The button

function chosen() {
  return [...form().querySelectorAll("[name='connection']:checked, [name='again']:checked")];
}

function words() {
  if (queue()) return `В очередь: ${queue().dataset.words}`;
  if (isLater()) {
    const moment = parse(due().value);
    return moment ? `Запланировать на ${shortWords(moment, nowOf(calendar()))}` : "Запланировать";
  }
  const [first, ...others] = chosen();
  if (!first) return "Опубликовать";
  const only = others.length ? null : document.getElementById(`panel-${first.value}`);
  return `Опубликовать в ${only ? only.dataset.platform : others.length + 1}`;
}

function showButton() {
  const button = $("#publish-button");
  button.textContent = words();
  const { queue: toQueue, schedule, publish } = button.dataset;
  button.formAction = queue() ? toQueue : isLater() ? schedule : publish;
  for (const preset of form().querySelectorAll("[data-preset]")) {
    preset.setAttribute("aria-pressed", String(isLater() && preset.dataset.preset === due().value));
  }
}

// Now or later

function setDue(local) {
  due().value = local;
  due().dispatchEvent(new Event("input", { bubbles: true }));
}

function setWhen(value) {
  form().elements.when.value = value;
  const later = value === "later";
  if (later && !due().value && keptDue) setDue(keptDue);
  if (!later) {
    keptDue = due().value;
    if (keptDue) setDue("");
  } else {
    $(".publish-when", form()).scrollIntoView({ block: "nearest" });
  }
}

// A set's queue is offered for its own accounts.
function showQueues() {
  const ids = chosen().map((one) => one.value);
  for (const pill of form().querySelectorAll("[data-accounts]")) {
    const accounts = pill.dataset.accounts.split(" ");
    pill.hidden = !ids.length || !ids.every((id) => accounts.includes(id));
    if (pill.hidden && $("input", pill).checked) setWhen("now");
  }
}

function preset(button) {
  // Counted from the press, not from when the window was opened.
  if (button.dataset.minutes) {
    button.dataset.preset = toLocal(addMinutes(nowOf(calendar()), Number(button.dataset.minutes)));
  }
  setDue(button.dataset.preset);
}

function typedDue() {
  if (due().value) form().elements.when.value = "later";
  // The question which of two equal times is meant is about one time only.
  const question = $("[data-occurrences]", form());
  if (question) question.disabled = question.hidden = question.dataset.occurrences !== due().value;
}

function setUp() {
  if (form() && !("ready" in form().dataset)) {
    form().dataset.ready = "";
    keptDue = "";
    nowOf(calendar());
    setUpTexts();
    showQueues();
    showButton();
  }
  look();
}

document.addEventListener("input", ({ target }) => {
  if (!form() || target.form !== form()) return;
  if (target === due()) typedDue();
  showButton();
});
document.addEventListener("change", ({ target }) => {
  if (!form() || target.form !== form()) return;
  if (target.name === "when") setWhen(target.value);
  if (["connection", "again"].includes(target.name)) {
    refreshTexts();
    showQueues();
  }
  showButton();
});
document.addEventListener("click", ({ target }) => {
  if (!target.closest("#publish")) return;
  const tick = target.closest("[data-tick]");
  if (tick) {
    const all = tick.dataset.tick === "all";
    // Where the clip has to be changed first, that is for its user to say.
    const boxes = form().querySelectorAll(`[name='connection']:enabled${all ? ":not([data-by-word])" : ""}`);
    for (const box of boxes) box.checked = all;
    refreshTexts();
    showQueues();
    showButton();
  } else if (target.closest("[data-preset]")) {
    preset(target.closest("[data-preset]"));
  }
});
// Enter in a field publishes nothing. In the name of a set it saves the set.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("#publish input")) return;
  event.preventDefault();
  if (event.target.id === "set-name") $("#save-set").click();
});

// After the press: each platform's answer as it comes

let timer;
let looks = 0;

function look() {
  clearTimeout(timer);
  const rows = $("#confirmations[data-going]");
  if (!rows) return;
  timer = setTimeout(() => {
    looks += 1;
    if (document.hidden) look();
    else if (rows.isConnected) window.htmx.trigger(rows, "look");
  }, LOOK_MS[looks] ?? LOOK_ON_MS);
}

document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id === "dialog") looks = 0;
  setUp();
  if (form() && detail.target.id?.startsWith("asked-")) refreshTexts();
});
document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.elt.id === "confirmations") look(); // also where the request has failed
});
document.addEventListener("navigated", setUp);
setUp();
