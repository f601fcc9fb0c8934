// Folders, dropped or chosen: their clips are uploaded, their table is opened, of others it is said that they are left out.

import { $ } from "./dom.js";
import { isVideoName } from "./file_checks.js";
import { visit } from "./navigation.js";
import { toast } from "./toasts.js";

const DEPTH = 2; // the files of a folder, and those of the folders in it
const NO_TABLE = "Таблицу не получилось отправить. Откройте «Импорт таблицей» и выберите её там.";

const form = $("#upload");

const isTable = ({ name }) => /\.(csv|tsv)$/i.test(name);
// What systems put into folders by themselves.
const isHidden = ({ name }) => /^(\.|~\$|thumbs\.db$|desktop\.ini$)/i.test(name);

// Files to be looked at, and how many lie too deep.
export function chosenFolder(list) {
  const all = [...list].filter((file) => !isHidden(file));
  const files = all.filter((file) => file.webkitRelativePath.split("/").length <= DEPTH + 1);
  return { files, deeper: all.length - files.length, name: list[0].webkitRelativePath.split("/")[0] };
}

export async function inFolders(entries) {
  const found = { files: [], deeper: 0, name: entries[0].name };
  for (const entry of entries) await collect(entry, DEPTH, found);
  return found;
}

async function collect(folder, depth, found) {
  const byName = (one, other) => one.name.localeCompare(other.name, "ru", { numeric: true });
  for (const entry of (await entriesOf(folder)).sort(byName)) {
    if (isHidden(entry)) continue;
    if (entry.isFile) found.files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    else if (depth > 1) await collect(entry, depth - 1, found);
    else found.deeper += 1;
  }
}

// A reader gives a hundred at a time, and then none.
async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}

// `files` were dropped by themselves: what is wrong with each is said in its row. Of a `folder` only what fits is taken.
export async function hand(files, folder, add) {
  const inFolder = folder?.files ?? [];
  const clips = inFolder.filter(({ name }) => isVideoName(name));
  const [table, ...others] = [...files, ...inFolder].filter(isTable);
  const plain = files.filter((file) => !isTable(file));
  add([...plain, ...clips]);
  const left = inFolder.filter((file) => !isTable(file) && !isVideoName(file.name)).length + others.length;
  if (folder && !table && !plain.length && !clips.length) toast(`В папке «${folder.name}» нет ни видео, ни таблицы.`, "error");
  else if (left) toast(`Пропустили файлов: ${left}. Берём видео и одну таблицу.`);
  if (folder?.deeper) toast("Папки внутри вложенных папок пропустили: откройте их и выберите отдельно.");
  if (table) await open(table, [...plain, ...clips].map(({ name }) => name));
}

// To the page that checks it. `expected`: clips that came with it and are on their way.
async function open(table, expected) {
  const body = new FormData();
  body.append("csrf_token", form.elements.csrf_token.value);
  body.append("file", table);
  for (const name of expected) body.append("expected", name);
  const response = await fetch(form.dataset.import, { method: "POST", body, headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok) {
    const page = response && new DOMParser().parseFromString(await response.text(), "text/html");
    const why = page && $("#import-page .error", page)?.textContent.trim();
    toast(why ? `«${table.name}». ${why}` : NO_TABLE, "error");
  } else if ($("#window").open) {
    toast(`Таблица «${table.name}» проверена.`, "ok", { link: { url: response.url, label: "Открыть" } });
  } else {
    visit(response.url);
  }
}
