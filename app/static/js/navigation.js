// Links within the app change the contents of the page instead of loading another one, so that uploads go on.
//
// A response takes the place of #main; #menu says which page it is. Whatever is not such a page (the sign-in, a file,
// another site) is loaded by the browser as usual. Without this script all links are plain links.

import { close } from "./dialog.js";
import { $ } from "./dom.js";
import { showAll } from "./toasts.js";

// Announce to other modules that the page goes, and that another is there: its #main is another element.
const LEAVING = "leaving";
const NAVIGATED = "navigated";
const REPLACED = ["main", "menu", "user", "bell", "strip"];

// Pages beside which a clip can be open.
export const hasPanel = (path) => path === "/" || path === "/plan";

let loading = null;
let shownPlace = place();

// The page of the address. What is open beside the clips or the plan, `clip`, is no page: clip-panel.js looks after it.
// In other lists it is a filter.
function place() {
  const url = new URL(location.href);
  if (hasPanel(url.pathname)) url.searchParams.delete("clip");
  return url.pathname + url.search;
}

function ownPage(link, event) {
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  const elsewhere = link.target || link.hasAttribute("download") || link.dataset.reload !== undefined;
  return plain && !elsewhere && link.origin === location.origin;
}

// Where the user was on the page that is left, for Back.
function rememberScroll() {
  history.replaceState({ ...history.state, scroll: window.scrollY }, "");
}

// A page is on its way: it may have been made before what has been shown meanwhile.
export const isLoading = () => Boolean(loading);

async function fetchPage(url, signal) {
  const response = await fetch(url, { signal, headers: { Accept: "text/html" } });
  const isPage = response.headers.get("Content-Type")?.startsWith("text/html");
  const page = isPage ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
  return page && isOurs(page) ? { page, url: response.url } : null;
}

// Neither another user's, nor of another version of the application: its scripts are other ones.
function isOurs(page) {
  const same = (name) => page.body.dataset[name] === document.body.dataset[name];
  return $("#main", page) && same("user") && same("version");
}

function show(page) {
  document.dispatchEvent(new CustomEvent(LEAVING));
  document.title = page.title;
  shownPlace = place();
  for (const id of REPLACED) {
    const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
    if (!old || !fresh || (id !== "main" && old.querySelector(":popover-open, :active"))) continue; // in use: it stays
    old.replaceWith(fresh);
    window.htmx.process(fresh);
  }
  showAll(page.querySelectorAll("#toasts .toast"));
  document.dispatchEvent(new CustomEvent(NAVIGATED));
}

// Loads `url` into this page; with `scroll`, goes back to where it was left.
export async function visit(url, { push = true, scroll = null } = {}) {
  let found;
  loading?.abort();
  const own = new AbortController();
  loading = own;
  document.body.classList.add("loading");
  try {
    found = await fetchPage(url, own.signal);
  } catch (error) {
    if (error.name === "AbortError") return; // another link was pressed meanwhile
  } finally {
    if (loading === own) {
      loading = null;
      document.body.classList.remove("loading");
    }
  }
  if (!found) {
    location.assign(url); // the browser says what is wrong
    return;
  }
  const { hash } = new URL(url, location.href);
  if (push) {
    const address = found.url.split("#")[0] + hash;
    if (history.state?.dialog) {
      close({ back: false });
      history.replaceState({}, "", address);
    } else {
      rememberScroll();
      history.pushState({}, "", address);
    }
  }
  show(found.page);
  const target = hash && document.getElementById(decodeURIComponent(hash.slice(1)));
  $("#main").focus({ preventScroll: true });
  if (scroll !== null) window.scrollTo({ top: scroll, behavior: "instant" });
  else if (target) target.scrollIntoView();
  else window.scrollTo({ top: 0, behavior: "instant" });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (event.defaultPrevented || !link || !ownPage(link, event)) return;
  const samePage = link.pathname === location.pathname && link.search === location.search;
  if (samePage && link.hash) return;
  event.preventDefault();
  link.closest("[popover]")?.hidePopover();
  visit(link.href);
});

// The server has changed what this page shows, in no way that fragments could tell.
document.body.addEventListener("reload-page", () => visit(location.href, { push: false, scroll: window.scrollY }));

// The last press counts: a page that is still loading does not close the dialog that was opened meanwhile.
document.addEventListener("dialog-opened", () => loading?.abort());

history.scrollRestoration = "manual";
if (history.state?.scroll) window.scrollTo({ top: history.state.scroll, behavior: "instant" });
window.addEventListener("pagehide", rememberScroll);
window.addEventListener("popstate", ({ state }) => {
  if (place() === shownPlace) return; // only the fragment has changed, or the panel
  visit(location.href, { push: false, scroll: state?.scroll ?? 0 });
});

// htmx's own history is off: it would load whole pages. It still says what a response or an attribute asks for.
function record(method, path) {
  rememberScroll();
  history[method](method === "pushState" ? {} : history.state, "", path);
  shownPlace = place();
}
document.body.addEventListener("htmx:pushedIntoHistory", ({ detail }) => record("pushState", detail.path));
document.body.addEventListener("htmx:replacedInHistory", ({ detail }) => record("replaceState", detail.path));
