// The panel of one clip beside the list or the plan. Links to a clip's page, `data-panel`, open it; the address names it
// (`?clip=…`), so that a reload shows the same. Back, Esc and ✕ close it. On a phone it is a sheet over the list.

import { $ } from "./dom.js";
import { focusById, focusOf } from "./focus.js";
import { hasPanel } from "./navigation.js";

const sheet = window.matchMedia("(width < 700px)");
const gone = new Set(); // ids of deleted clips: earlier addresses may still name them
let opener = null;
let shownId; // of the panel as this module left it

const panel = () => $("#list ~ #clip-panel");
const isOpen = () => Boolean(panel()?.firstElementChild);
const openId = () => panel()?.querySelector("[data-clip]")?.dataset.clip;

function address(clipId) {
  const url = new URL(location.href);
  if (clipId) url.searchParams.set("clip", clipId);
  else url.searchParams.delete("clip");
  return url.pathname + url.search;
}

// `panel` is the address without it: ✕ goes back there, unless the list has got another address meanwhile.
function name(clipId) {
  const before = history.state?.panel;
  const state = { ...history.state, panel: before ?? address(null) };
  if (before) history.replaceState(state, "", address(clipId));
  else history.pushState(state, "", address(clipId));
}

// After each change of the panel. What is below a sheet cannot be reached.
function cover() {
  shownId = openId();
  const covered = isOpen() && sheet.matches;
  for (const one of document.querySelectorAll("#list, #filters, #bulk, .page-head, .top")) one.inert = covered;
}

async function load(url) {
  await window.htmx.ajax("GET", url, { target: "#clip-panel", swap: "innerHTML" });
  cover();
  panel().scrollTop = 0;
  $("#details-title")?.focus({ preventScroll: true });
}

async function open(url) {
  opener = focusOf(document.activeElement.closest("[data-menu]")?.querySelector("summary") ?? document.activeElement);
  await load(url);
  if (isOpen()) name(openId());
}

function empty() {
  panel().replaceChildren();
  cover();
  focusById(opener);
  opener = null;
}

function close() {
  empty();
  if (history.state?.panel === address(null)) history.back();
  else forget();
}

// The address without the clip.
const forget = () => history.replaceState({ ...history.state, panel: null }, "", address(null));

document.addEventListener(
  "click",
  (event) => {
    const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!plain || !panel()) return;
    const link = event.target.closest("a[data-panel]"); // the publish window has panels that are no links
    if (link) {
      event.preventDefault();
      if (link.closest("article")?.id === `clip-${openId()}` && isOpen()) $("#details-title").focus();
      else open(link.getAttribute("href"));
    } else if (event.target.closest("[data-close-panel]")) {
      event.preventDefault();
      close();
    } else if (isOpen() && sheet.matches && !event.target.closest("#clip-panel, #window, #toasts")) {
      event.preventDefault();
      close();
    }
  },
  true, // before navigation.js, which would go to the link's page
);

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || !isOpen() || $("#window").open) return;
  event.preventDefault();
  close();
});

// Back and forward.
window.addEventListener("popstate", () => {
  if (!panel() || !hasPanel(location.pathname)) return;
  const wanted = new URLSearchParams(location.search).get("clip");
  if (gone.has(wanted)) forget();
  else if (!wanted && isOpen()) empty();
  else if (wanted && wanted !== openId()) load(`/clips/${wanted}`);
});

// The clip is gone: so is its panel, and on a page of its own there is nothing left to see.
document.body.addEventListener("htmx:afterRequest", () => {
  const alone = $("#clip-panel.alone");
  if (alone && !alone.firstElementChild) location.assign("/");
  if (!panel() || isOpen() || !shownId) return;
  gone.add(shownId);
  empty();
  forget();
});
document.addEventListener("navigated", cover);
sheet.addEventListener("change", cover);
cover();
