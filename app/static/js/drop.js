// Files dropped on any page, also on an open dialog. What is dragged within the page, texts and links are left alone.

import { $ } from "./dom.js";

// What browsers call a table: on Windows it is Excel's.
const TABLE_TYPES = ["text/csv", "text/tab-separated-values", "application/vnd.ms-excel"];

const area = $("#drop");
let isOwn = false; // a picture or a link of this page is being dragged

const holdsFiles = ({ dataTransfer }) => !isOwn && Boolean(dataTransfer?.types.includes("Files"));

function show(isShown, items = []) {
  if (isShown === area.matches(":popover-open")) return;
  const types = [...items].filter(({ kind }) => kind === "file").map(({ type }) => type);
  const isOther = types.length > 0 && types.every((type) => type && !type.startsWith("video/") && !TABLE_TYPES.includes(type));
  const stays = $("#window").open ? ". Открытое окно останется" : "";
  $("[data-drop-text]", area).textContent = isOther ? "Здесь подойдут видео и таблицы CSV" : `Отпустите, чтобы загрузить${stays}`;
  area.togglePopover(isShown); // above an open dialog too
}

// `add` gets the files, in their order, and the entries of folders. Both can only be asked for while the event lasts.
export function onDrop(add) {
  document.addEventListener("dragstart", () => (isOwn = true), true);
  document.addEventListener("dragend", () => (isOwn = false), true);
  window.addEventListener("dragenter", (event) => holdsFiles(event) && show(true, event.dataTransfer.items));
  // Drag events come from every element passed over: only leaving the window counts.
  window.addEventListener("dragleave", (event) => event.relatedTarget === null && show(false));
  window.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  window.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    show(false);
    const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
    const found = items.map((item) => ({ file: item.getAsFile(), entry: item.webkitGetAsEntry?.() }));
    const isFolder = ({ entry }) => Boolean(entry?.isDirectory);
    add({
      files: found.filter((one) => one.file && !isFolder(one)).map(({ file }) => file),
      folders: found.filter(isFolder).map(({ entry }) => entry),
    });
  });
}
