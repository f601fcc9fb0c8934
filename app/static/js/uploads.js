// Uploads: from the button or dropped on any page, several at once, resumable. A finished one becomes a card.
//
// The server knows which are unfinished: after a reload, and on another device, they wait here for their file. A file
// that is chosen again continues by itself.

import { $ } from "./dom.js";
import { onDrop } from "./drop.js";
import { chosenFolder, hand, inFolders } from "./folders.js";
import { showCard, showsNewest } from "./new_cards.js";
import { toast } from "./toasts.js";
import { Item, lockOf } from "./upload_item.js";
import { items, total } from "./upload_queue.js";
import { unfold } from "./upload_row.js";

const form = $("#upload");
const input = $("#clip");
let preparing = Promise.resolve();

// One after the other, so that they stand in the queue in the order in which they were chosen.
function add(files) {
  if (!files.length) return;
  const batch = [];
  for (const file of files) batch.push(new Item({ name: file.name, size: file.size, file, batch }));
  unfold();
  total();
  if ($("#window").open) toast("Приняли. Ход загрузки виден под этим окном.");
  for (const item of batch) preparing = preparing.then(() => item.isGone || prepare(item));
}

// What goes wrong with one does not keep the next from being sent.
function prepare(item) {
  return item.prepare().catch(() => item.refuse("Файл не получилось проверить. Выберите его ещё раз."));
}

async function listUnfinished() {
  const response = await fetch(form.dataset.unfinished, { headers: { Accept: "application/json" } }).catch(() => null);
  if (!response?.ok) return;
  const { uploads } = await response.json();
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  const elsewhere = new Set([...held.map(({ name }) => name), ...items.filter(({ url }) => url).map(({ url }) => lockOf(url))]);
  for (const { url, name, size, sent, fingerprint: print, publish } of uploads) {
    if (elsewhere.has(lockOf(url))) continue;
    const item = new Item({ name, size });
    Object.assign(item, { url, sent, fingerprint: print, publish });
    item.row.box.checked = publish;
    item.interrupt();
    if (sent === size) item.complete();
  }
}

input.addEventListener("change", () => {
  add([...input.files]);
  input.value = "";
});
// Chosen before this script was there.
if (input.files.length) input.dispatchEvent(new Event("change"));
onDrop(async ({ files, folders }) => hand(files, folders.length ? await inFolders(folders) : null, add));
document.addEventListener("change", ({ target }) => {
  if (!target.matches("[webkitdirectory]") || !target.files.length) return;
  hand([], chosenFolder(target.files), add);
  target.value = "";
});

window.addEventListener("online", () => {
  items.filter(({ isOffline, state }) => isOffline && state === "failed").forEach((item) => item.go());
});
document.addEventListener("navigated", () => {
  if (!showsNewest()) return;
  for (const item of items.filter(({ state }) => state === "done")) {
    item.leave();
    showCard(item.clipId); // the page may have been made before the clip was
  }
});
window.addEventListener("beforeunload", (event) => {
  if (items.some(({ state }) => state === "sending" || state === "waiting")) event.preventDefault();
});
listUnfinished();
