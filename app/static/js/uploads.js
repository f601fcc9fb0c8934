// Uploads: from the button or dropped on the page, several at once, resumable (tus). A finished one becomes a card.

import { toast } from "./toasts.js";

const CHUNK = 16 * 1024 * 1024; // fits behind any proxy that buffers a request; a cut costs at most this much
const AT_ONCE = 3;
const RETRY_MS = [0, 1000, 3000, 5000, 10000, 20000];

const form = document.querySelector("#upload");
const input = document.querySelector("#clip");
const rows = document.querySelector("#uploads");
const template = document.querySelector("#upload-row");
const drop = document.querySelector("#drop");
const maxBytes = Number(form.dataset.maxBytes);
const waiting = [];
const lost = new Set(); // rows that wait for the connection
let running = 0;
// Cards are requested one after the other: of several requests for one place htmx keeps only the last.
let shown = Promise.resolve();

function add(files) {
  for (const file of files) {
    const row = new Row(file);
    rows.append(row.element);
    if (file.size > maxBytes) row.fail(`Файл больше ${form.dataset.maxMb} МБ. Сожмите видео или сократите его.`, false);
    else enqueue(row);
  }
}

function enqueue(row) {
  waiting.push(row);
  row.show("В очереди");
  startNext();
}

function startNext() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    waiting.shift().start();
  }
}

function finished() {
  running -= 1;
  startNext();
}

// One file's upload. `active`: it takes one of the slots.
class Row {
  constructor(file) {
    this.file = file;
    this.active = false;
    this.element = template.content.firstElementChild.cloneNode(true);
    const find = (selector) => this.element.querySelector(selector);
    this.bar = find("progress");
    this.state = find(".upload-state");
    this.retry = find("[data-retry]");
    find(".upload-name").textContent = file.name;
    this.bar.setAttribute("aria-label", `Загрузка: ${file.name}`);
    const cancel = find("[data-cancel]");
    cancel.setAttribute("aria-label", `Отменить загрузку: ${file.name}`);
    cancel.addEventListener("click", () => this.cancel());
    this.retry.addEventListener("click", () => this.again());
  }

  show(text) {
    this.state.textContent = text;
  }

  async start() {
    this.active = true;
    this.upload = new window.tus.Upload(this.file, {
      endpoint: form.dataset.endpoint,
      chunkSize: CHUNK,
      retryDelays: RETRY_MS,
      onShouldRetry: ({ originalResponse: response }) => !response || isPassing(response),
      removeFingerprintOnSuccess: true,
      headers: { "X-CSRFToken": form.elements.csrf_token.value },
      metadata: { filename: this.file.name, filetype: this.file.type },
      onProgress: (sent, total) => this.progress(sent, total),
      onError: (error) => this.stop(error),
      onSuccess: ({ lastResponse }) => this.succeed(lastResponse.getHeader("X-Clip-Id")),
    });
    this.show("Начинаем…");
    const [earlier] = await this.upload.findPreviousUploads();
    if (!this.active) return; // cancelled meanwhile
    if (earlier) this.upload.resumeFromPreviousUpload(earlier);
    this.since = null;
    this.upload.start();
  }

  progress(sent, total) {
    const now = performance.now();
    // What an earlier try has sent does not count for the speed of this one.
    this.since ??= { at: now, sent };
    const seconds = (now - this.since.at) / 1000;
    const speed = seconds > 0.5 ? ` · ${megabytes((sent - this.since.sent) / seconds)} МБ/с` : "";
    this.bar.value = (100 * sent) / total;
    this.show(`${Math.floor((100 * sent) / total)} % · ${megabytes(sent)} из ${megabytes(total)} МБ${speed}`);
  }

  succeed(clipId) {
    this.leave();
    this.element.remove();
    if (!document.querySelector("#clips")) {
      toast(`Загружено: ${this.file.name}`);
      return;
    }
    const card = form.dataset.card.replace("/0/", `/${clipId}/`);
    shown = shown.then(() => window.htmx.ajax("GET", card, { target: "#clips", swap: "afterbegin" })).catch(() => {});
  }

  // The server refuses with a sentence; without a response the connection is lost, and tried again.
  stop({ originalResponse: response }) {
    if (!response) {
      lost.add(this);
      this.fail("Связь прервалась. Вернётся — продолжим с того же места.");
      return;
    }
    const isSentence = (response.getHeader("Content-Type") ?? "").startsWith("text/plain");
    this.fail((isSentence && response.getBody().trim()) || "Сервер не принял файл. Попробуйте ещё раз.");
  }

  fail(text, mayRetry = true) {
    this.leave();
    this.element.classList.add("wrong");
    this.retry.hidden = !mayRetry;
    this.show(text);
  }

  again() {
    lost.delete(this);
    this.element.classList.remove("wrong");
    this.retry.hidden = true;
    enqueue(this);
  }

  cancel() {
    lost.delete(this);
    const place = waiting.indexOf(this);
    if (place >= 0) waiting.splice(place, 1);
    // The server deletes it too; if that fails, its sweep does later.
    this.upload?.abort(true).catch(() => {});
    this.leave();
    this.element.remove();
  }

  leave() {
    if (!this.active) return;
    this.active = false;
    finished();
  }
}

// The server is busy or away, or another request still holds this upload.
function isPassing(response) {
  const status = response.getStatus();
  return status >= 500 || status === 409 || status === 423 || Boolean(response.getHeader("Retry-After"));
}

function megabytes(bytes) {
  const value = bytes / 1e6;
  return value.toLocaleString("ru", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

input.addEventListener("change", () => {
  add([...input.files]);
  input.value = "";
});

window.addEventListener("online", () => [...lost].forEach((row) => row.again()));

// Dropping, anywhere on the page. Drag events come from every element passed over: only leaving the window counts.

const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
window.addEventListener("dragenter", (event) => holdsFiles(event) && (drop.hidden = false));
window.addEventListener("dragleave", (event) => event.relatedTarget === null && (drop.hidden = true));
window.addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
window.addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  drop.hidden = true;
  const files = [...event.dataTransfer.files];
  const suffixes = input.accept.split(",").filter((kind) => kind.startsWith("."));
  const isVideo = ({ name, type }) =>
    !type || type.startsWith("video/") || suffixes.some((suffix) => name.toLowerCase().endsWith(suffix));
  const videos = files.filter(isVideo);
  if (videos.length < files.length) {
    toast("Взяли только видео: остальные файлы не подходят.", "error");
  }
  add(videos);
});

window.addEventListener("beforeunload", (event) => {
  if (running || waiting.length) event.preventDefault();
});
