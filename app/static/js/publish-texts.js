// The publish window's texts: the shared ones, a tab for each account with its own, and what each platform will show.
//
// An account shows the shared text until something is typed into its own fields; then `own-…` is ticked, so that the
// server tells «its own» from «empty».

import { $ } from "./dom.js";
import { count } from "./text-units.js";

const NAMES = ["title", "description"];
const form = () => $("#publish");
const all = (selector, root = form()) => [...root.querySelectorAll(selector)];

const shared = () => ({ title: $("#title", form()).value, description: $("#description", form()).value });
const fieldOf = (panel, name) => $(`[data-field="${name}"]`, panel);
const textsOf = (panel) =>
  panel.dataset.panel === "shared" ? shared() : Object.fromEntries(NAMES.map((name) => [name, fieldOf(panel, name).value]));
const oneLine = (text) => text.split(/\s+/).filter(Boolean).join(" ");

// What the platform shows below the clip: one text, or the description under its title.
function shown(panel, { title, description }) {
  const parts = [oneLine(title), description.trim()];
  return "oneText" in panel.dataset ? parts.filter(Boolean).join("\n\n") : parts[1];
}

// Own texts

function markOwn(panel) {
  const own = NAMES.some((name) => fieldOf(panel, name).dataset.own);
  $('[name^="own-"]', panel).checked = own;
  panel.toggleAttribute("data-own", own);
  for (const one of all("[data-own='yes']", panel)) one.hidden = !own;
  for (const one of all("[data-own='no']", panel)) one.hidden = own;
}

function follow() {
  const texts = shared();
  for (const panel of accountPanels()) {
    for (const name of NAMES) if (!fieldOf(panel, name).dataset.own) fieldOf(panel, name).value = texts[name];
  }
}

function typedInto(field) {
  const name = field.dataset.field;
  if (field.value === shared()[name]) delete field.dataset.own;
  else field.dataset.own = "yes";
  markOwn(field.closest("[data-panel]"));
}

function reset(panel) {
  for (const name of NAMES) delete fieldOf(panel, name).dataset.own;
  markOwn(panel);
  refreshTexts();
  fieldOf(panel, "description").focus();
}

const accountPanels = () => all("[data-panel]:not([data-panel='shared'])");

// Counters

function measure(panel) {
  const { unit, textUnit, maxTitle, maxText } = panel.dataset;
  const texts = textsOf(panel);
  const counts = {
    title: [count(oneLine(texts.title), unit), Number(maxTitle)],
    description: [count(shown(panel, texts), textUnit), Number(maxText) || Infinity],
  };
  let fits = true;
  for (const [name, [length, limit]] of Object.entries(counts)) {
    const over = length > limit;
    fits &&= !over;
    const counter = $(`[data-counter="${name}"]`, panel);
    if (counter) {
      const together = name === "description" && "oneText" in panel.dataset ? "вместе с названием " : "";
      const bytes = name === "description" && textUnit === "bytes" ? " байт" : "";
      counter.textContent = `${together}${length} из ${limit}${bytes}`;
      counter.classList.toggle("over", over);
    }
    const note = $(`[data-over="${name}"]`, panel);
    if (note) note.hidden = !over || $(".error", note.parentElement) !== null;
    fits &&= !holdsForbidden(panel, name, texts[name]);
  }
  return fits;
}

function holdsForbidden(panel, name, text) {
  const found = [...(panel.dataset.forbidden ?? "")].some((one) => text.includes(one));
  const note = $(`[data-forbids="${name}"]`, panel);
  if (note) note.hidden = !found || $(".error", note.parentElement) !== null;
  return found;
}

// What the platform reads as more than text (a mention): told, never refused. Returns the sentences.
function marks(panel) {
  const texts = textsOf(panel);
  return all("[data-marks]", panel).flatMap((note) => {
    const matches = texts[note.dataset.marks].matchAll(new RegExp(note.dataset.pattern, "g"));
    const found = new Set([...matches].map((match) => match[1] ?? match[0]));
    $("b", note).textContent = [...found].join(", ");
    note.hidden = found.size === 0;
    return note.hidden ? [] : [$("span", note).textContent];
  });
}

// Tabs

const tabOf = (panel) => document.getElementById(`tab-${panel.dataset.panel}`);
const openPanel = () => $("[data-panel][data-open]", form());

function open(name) {
  for (const panel of all("[data-panel]")) {
    const isOpen = panel.dataset.panel === name;
    panel.toggleAttribute("data-open", isOpen);
    tabOf(panel).setAttribute("aria-selected", String(isOpen));
    tabOf(panel).tabIndex = isOpen ? 0 : -1;
  }
  form().elements.tab.value = name;
  preview();
}

function showTabs() {
  const [misfits, marked] = [[], new Set()];
  for (const panel of accountPanels()) {
    const [id, tab] = [panel.dataset.panel, tabOf(panel)];
    const takesPart = Boolean($(`[name="connection"][value="${id}"]:checked, [name="again"][value="${id}"]:checked`, form()));
    const fits = measure(panel);
    const isRefused = $("[data-unfit]", panel) !== null; // by the platform, whatever the text
    for (const one of marks(panel)) if (takesPart) marked.add(one);
    if (takesPart && !fits) misfits.push($("span:not([class])", tab).textContent);
    tab.hidden = !takesPart;
    tab.classList.toggle("misfitting", !fits || isRefused);
    tab.classList.toggle("own", "own" in panel.dataset);
    const isWrong = tab.classList.contains("wrong") && fits; // of a refusal, until something is changed there
    const says = ["own" in panel.dataset && "свой текст", !fits && "не помещается", isRefused && "не примет", isWrong && "исправьте"].filter(Boolean);
    $("[data-says]", tab).textContent = says.length ? ` (${says.join(", ")})` : "";
    if (!takesPart && panel === openPanel()) open("shared");
  }
  const note = $("[data-misfits]", form());
  note.hidden = misfits.length === 0;
  $("span", note).textContent = `Не помещается: ${misfits.join(", ")}. Измените текст или задайте свой на вкладке.`;
  const warning = $("[data-marked]", form());
  warning.hidden = marked.size === 0;
  $("span", warning).textContent = [...marked].join(" ");
}

function byKey(event) {
  const tabs = all("[role='tab']:not([hidden])");
  const at = tabs.indexOf(event.target);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = tabs[(to + tabs.length) % tabs.length];
  open(next.dataset.tab);
  next.focus();
}

// The phone

function preview() {
  const [phone, panel] = [$("#phone"), openPanel()];
  const texts = textsOf(panel);
  const isShared = panel.dataset.panel === "shared";
  const icon = isShared ? null : $(".platform-icon", tabOf(panel)).cloneNode(true);
  $("[data-preview='icon']", phone).replaceChildren(...(icon ? [icon] : []));
  $("[data-preview='account']", phone).textContent = isShared ? "Общий текст" : panel.dataset.account;
  $("[data-preview='title']", phone).textContent = "oneText" in panel.dataset ? "" : oneLine(texts.title);
  $("[data-preview='text']", phone).textContent = shown(panel, texts);
}

function play(screen) {
  const video = document.createElement("video");
  Object.assign(video, { src: screen.dataset.video, controls: true, playsInline: true, autoplay: true });
  video.setAttribute("aria-label", "Клип");
  screen.replaceChildren(video);
  video.focus();
}

// What was refused is no longer what stands there.
function forgetRefusal(panel, field) {
  tabOf(panel).classList.remove("wrong");
  field.removeAttribute("aria-invalid");
  const around = field.closest(".field");
  around?.classList.remove("wrong");
  if (around) $(".error", around)?.remove();
}

export function refreshTexts() {
  follow();
  showTabs();
  preview();
}

export function setUpTexts() {
  const texts = shared();
  for (const panel of all("[data-panel]")) {
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tabOf(panel).id);
  }
  for (const panel of accountPanels()) {
    if (!("own" in panel.dataset)) continue;
    for (const name of NAMES) if (fieldOf(panel, name).value !== texts[name]) fieldOf(panel, name).dataset.own = "yes";
  }
  refreshTexts();
  open(openPanel()?.dataset.panel ?? "shared");
}

document.addEventListener("input", ({ target }) => {
  if (!target.closest("#publish")) return;
  const panel = target.closest("[data-panel]");
  if (!panel) return;
  forgetRefusal(panel, target);
  if (target.dataset.field) typedInto(target);
  refreshTexts();
});
document.addEventListener("click", (event) => {
  const { target } = event;
  if (!target.closest("#publish")) return;
  const tab = target.closest("[role='tab']");
  if (tab) {
    open(tab.dataset.tab);
    // With a mouse one goes on to write; on a phone a keyboard would cover what one wants to look at.
    if (event.detail > 0 && matchMedia("(pointer: fine)").matches) $("textarea", openPanel()).focus();
  } else if (target.closest("[data-reset]")) {
    reset(target.closest("[data-panel]"));
  } else if (target.closest(".phone-play")) {
    play(target.closest(".phone-screen"));
  }
});
document.addEventListener("keydown", (event) => {
  if (event.target.matches("#publish [role='tab']")) byKey(event);
});
