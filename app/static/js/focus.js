// Swaps keep the focus and what was opened.
//
// htmx morphs what has an id, so mostly nothing is lost. Where the focused element goes away, the focus goes to what has
// taken its place, or to the nearest block around it that is still there; never to the beginning of the page.

const AROUND = "article[id], li[id], section[id], main";

let before = null;

// Where the focus is: its element's id, and those of the blocks around it.
export function focusOf(element) {
  const ids = [];
  for (let one = element; one && one !== document.body; one = one.parentElement) {
    if (one.id && (one === element || one.matches(AROUND))) ids.push(one.id);
  }
  return ids;
}

// The first of them that is still there.
export function focusById(ids) {
  const found = (ids ?? []).map((id) => document.getElementById(id)).find(Boolean);
  if (!found) return;
  if (!found.matches("a[href], button, input, select, textarea, summary, [tabindex]")) found.tabIndex = -1;
  found.focus({ preventScroll: true });
}

// A button that is disabled while its request lasts loses the focus before the swap.
let pressed = null;

document.body.addEventListener("htmx:beforeRequest", ({ detail }) => {
  if (detail.elt === document.activeElement) pressed = focusOf(detail.elt);
});
document.body.addEventListener("htmx:beforeSwap", () => {
  before = document.activeElement === document.body ? pressed : focusOf(document.activeElement);
});
document.body.addEventListener("htmx:afterSettle", () => {
  if (document.activeElement === document.body && before?.length) focusById(before);
  before = pressed = null;
});

// Blocks that the user has opened stay open when their content is renewed.
const opened = new Set();
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (target.tagName !== "DETAILS" || !target.id) return;
    if (target.open) opened.add(target.id);
    else if (target.isConnected) opened.delete(target.id);
  },
  true,
);
document.body.addEventListener("htmx:afterSwap", () => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
});
