// The one dialog: htmx loads content into #dialog, this opens #window around it; the server closes it by the event
// `close-dialog`.
//
// What was typed is not lost by accident: Esc, Back, ✕ and a press beside the dialog ask first. Back closes the dialog
// instead of leaving the page, so an open dialog has an entry of its own in the history.

import { $, inside } from "./dom.js";
import { focusById, focusOf } from "./focus.js";

const frame = $("#window");
const content = $("#dialog");
let opener = null;
let typed = false;
let pressed = null; // where the pointer went down
let goingBack = false; // our own history.back() is under way

export const holdsTypedText = () => frame.open && typed;

function open(fresh) {
  if (!frame.open) {
    opener = focusOf(document.activeElement);
    document.dispatchEvent(new CustomEvent("dialog-opened"));
    frame.showModal();
    frame.append($("#toasts")); // what is outside a modal dialog is hidden from screen readers, and cannot be pressed
    if (!history.state?.dialog) pushEntry();
  }
  if (fresh) frame.scrollTop = 0;
  const wanted = $("[autofocus], [aria-invalid='true'], .refusal", content);
  if (wanted) {
    if (!wanted.matches("a, button, input, select, textarea")) wanted.tabIndex = -1;
    wanted.focus();
    if (!fresh) wanted.scrollIntoView({ block: "nearest" });
  } else if (fresh) {
    frame.focus();
  }
}

// Closes without a question. `back`: its entry in the history is left too.
export function close({ back = true } = {}) {
  if (!frame.open) return;
  typed = false;
  frame.close();
  document.body.append($("#toasts"));
  content.replaceChildren(); // a video stops, and no secret stays in the page
  $("#unsaved").hidden = true;
  if (back && history.state?.dialog) {
    goingBack = true;
    history.back();
  }
  focusById(opener);
}

// Closes, unless something was typed: then the user decides.
function leave() {
  if (!typed) {
    close();
    return;
  }
  $("#unsaved").hidden = false;
  $("#unsaved [data-stay]").focus();
}

// Buttons all over the page that open something belong to one form (`ui.opens`): no attributes for htmx to look through.
$("#open").addEventListener("submit", (event) => {
  window.htmx.ajax("GET", event.submitter.formAction, { source: event.submitter, target: content });
  event.preventDefault(); // not where htmx is missing
});

document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target !== content || !content.childElementCount) return;
  const fresh = detail.requestConfig.verb === "get";
  if (fresh || $("[data-settled]", content)) typed = false;
  open(fresh);
});
document.body.addEventListener("close-dialog", () => close());

content.addEventListener("input", (event) => {
  if (event.target.type !== "search") typed = true;
});

// A press that begins inside, such as the selection of a text, and ends outside does not close it.
frame.addEventListener("pointerdown", (event) => (pressed = event));
frame.addEventListener("click", (event) => {
  const beside = (one) => one.target === frame && !inside(frame.getBoundingClientRect(), one);
  if (event.target.closest("[data-stay]")) {
    $("#unsaved").hidden = true;
    $("input:not([type=hidden]), textarea, select", content)?.focus();
  } else if (event.target.closest("[data-leave]")) {
    close();
  } else if (event.target.closest("[data-close]") || (beside(event) && pressed && beside(pressed))) {
    event.preventDefault();
    leave();
  }
});
// Not only `cancel`: a browser does not let a page refuse that twice in a row.
frame.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  event.preventDefault();
  leave();
});
frame.addEventListener("cancel", (event) => {
  event.preventDefault();
  leave();
});

const pushEntry = () => history.pushState({ ...history.state, dialog: true }, "");

window.addEventListener("popstate", () => {
  const ours = goingBack;
  goingBack = false;
  if (!frame.open || history.state?.dialog) return;
  if (ours || typed) pushEntry(); // it has been opened anew meanwhile, or stays
  if (ours) return;
  if (typed) leave();
  else close({ back: false });
});
window.addEventListener("beforeunload", (event) => {
  if (holdsTypedText()) event.preventDefault();
});
// After a reload there is no dialog.
if (history.state?.dialog) history.replaceState({ ...history.state, dialog: false }, "");
