// One upload, from the choice of its file, or from its interruption, to its clip.

import { $ } from "./dom.js";
import { fingerprint, refusal } from "./file_checks.js";
import { showCard, showsNewest } from "./new_cards.js";
import { toast } from "./toasts.js";
import { Transfer, remove, request } from "./transfer.js";
import { changed, items, nextChange, startNext, total } from "./upload_queue.js";
import { Row, say } from "./upload_row.js";
import { left, megabytes, percentOf, progressText } from "./upload_texts.js";

const RENDER_MS = 250;

const form = $("#upload");
const picker = $("#same-file");
let wanted = null; // the interrupted one for which a file is being chosen

// The name of the lock that the page which has the file holds: others do not offer to continue it.
export const lockOf = (url) => `upload ${new URL(url, location).pathname}`;

export class Item {
  constructor({ name, size, file = null, batch = [] }) {
    Object.assign(this, { name, size, file, batch, sent: 0, publish: false, url: null, state: "checking" });
    this.rendered = 0;
    this.row = new Row(name, {
      go: () => this.go(),
      drop: () => this.drop(),
      publish: (wished) => this.wish(wished),
    });
    items.push(this);
  }

  get isGone() {
    return !items.includes(this);
  }

  get isOpen() {
    return this.state !== "done" && this.state !== "refused";
  }

  show(state, text, percent = null) {
    this.state = state;
    this.row.show(state, text, percent);
    changed();
  }

  percent() {
    return percentOf(this.sent, this.size);
  }

  // What prevents it, what it continues, whether it is here already; then its place in the queue.
  async prepare() {
    this.show("checking", "Проверяем файл…");
    const why = await refusal(this.file);
    if (this.isGone) return;
    if (why) {
      this.refuse(why);
      return;
    }
    this.fingerprint = await fingerprint(this.file).catch(() => null);
    if (this.isGone) return;
    const same = items.find((one) => one !== this && one.isOpen && one.isOf(this.file, this.fingerprint));
    if (same?.state === "interrupted") {
      this.leave();
      same.resume(this.file);
    } else if (same) {
      this.refuse("Этот файл уже загружается.");
    } else {
      const clip = await this.sameClip();
      if (this.isGone) return;
      if (clip) this.ask(clip);
      else this.enqueue();
    }
  }

  isOf(file, print) {
    if (this.fingerprint && print) return this.fingerprint === print;
    return Boolean(this.url) && this.name === file.name && this.size === file.size;
  }

  async sameClip() {
    if (!this.fingerprint) return null;
    const response = await fetch(`${form.dataset.same}?fingerprint=${this.fingerprint}`).catch(() => null);
    return response?.ok ? (await response.json()).clip : null;
  }

  ask({ title, day, url }) {
    const text = `Этот файл уже загружен: «${title}» (${day}). Загрузить ещё раз?`;
    this.row.leadTo(url);
    this.show("asking", text);
    this.row.reveal();
    say(`${this.name}. ${text}`);
  }

  refuse(text) {
    this.show("refused", text);
    this.row.reveal();
    say(`${this.name}. ${text}`);
  }

  enqueue() {
    this.row.link.hidden = true;
    this.show("waiting", "В очереди", this.sent ? this.percent() : null);
    startNext();
  }

  start() {
    this.transfer ??= new Transfer(this.file, {
      fingerprint: this.fingerprint,
      url: this.url,
      publish: () => this.publish,
      on: {
        created: (url, wished) => this.created(url, wished),
        progress: (sent, speed) => this.progress(sent, speed),
        waiting: () => this.row.progress("Связь прервалась, пробуем снова…", this.percent()),
        done: (clipId) => this.finish(clipId),
        failed: (text, why) => this.fail(text, why),
        lastPiece: () => this.turn(),
      },
    });
    this.show("sending", this.sent ? "Продолжаем…" : "Начинаем…", this.percent());
    say(`Загрузка началась: ${this.name}`);
    this.transfer.start();
  }

  created(url, wished) {
    this.url = url;
    this.hold();
    if (this.publish !== wished) this.wish(this.publish);
  }

  hold() {
    const until = new Promise((resolve) => (this.release = resolve));
    navigator.locks?.request(lockOf(this.url), { ifAvailable: true }, () => until);
  }

  progress(sent, speed) {
    this.sent = sent;
    const now = performance.now();
    if (this.state !== "sending" || (now - this.rendered < RENDER_MS && sent < this.size)) return;
    this.rendered = now;
    this.row.progress(progressText(sent, this.size, speed), this.percent());
    total();
  }

  // The files of one choice become clips in its order: the last piece waits for those before it that are being sent.
  async turn() {
    const before = this.batch.slice(0, this.batch.indexOf(this));
    while (this.state === "sending" && before.some(({ state }) => state === "sending")) {
      await nextChange();
    }
  }

  finish(clipId) {
    say(`Загружено: ${this.name}`);
    if (showsNewest()) {
      this.leave();
      showCard(clipId);
    } else {
      this.release?.();
      this.clipId = clipId;
      this.row.leadTo(form.dataset.clip.replace(/0$/, clipId));
      this.show("done", this.publish ? "Загружено. Опубликуем, как только обработаем." : "Загружено");
    }
    startNext();
  }

  fail(text, { isFinal, isOffline }) {
    if (isFinal) {
      if (this.url) remove(this.url);
      this.release?.();
    }
    this.isOffline = isOffline;
    this.show(isFinal ? "refused" : "failed", text);
    say(`${this.name}. ${text}`);
    startNext();
  }

  go() {
    if (this.state === "sending") {
      this.transfer.stop();
      this.show("paused", `Пауза · ${this.percent()} % · ${left(this.sent, this.size)}`, this.percent());
      startNext();
    } else if (this.state === "interrupted") {
      chooseFor(this);
    } else {
      this.enqueue();
    }
  }

  async drop() {
    const { state, url } = this;
    this.transfer?.stop();
    if (state === "interrupted") {
      this.row.progress("Забываем…", this.percent());
      if (!(await remove(url))) {
        this.interrupt("Сейчас не получилось забыть. Попробуйте ещё раз.");
        return;
      }
    } else if (url && this.isOpen) {
      remove(url); // if that fails, the server's sweep does later
    }
    this.leave();
    startNext();
  }

  leave() {
    this.state = "done"; // later files of its choice need not wait for it
    this.release?.();
    if (!this.isGone) items.splice(items.indexOf(this), 1);
    this.row.remove();
    changed();
  }

  async wish(wished) {
    this.publish = wished;
    this.row.box.checked = wished;
    if (!this.url) return; // it goes with the creation
    const response = await request(wished ? "PUT" : "DELETE", `${this.url}/publishing`).catch(() => null);
    if (response?.ok) return;
    this.publish = this.row.box.checked = !wished;
    toast("Не получилось запомнить. Попробуйте ещё раз.", "error");
  }

  interrupt(text = `Прервано на ${this.percent()} %. Чтобы продолжить, выберите тот же файл.`) {
    this.show("interrupted", text, this.percent());
  }

  async resume(file) {
    const isSame = file.size === this.size && this.isOf(file, await fingerprint(file).catch(() => null));
    if (!isSame) {
      const text = `Это другой файл. Нужен «${this.name}», ${megabytes(this.size)} МБ.`;
      this.interrupt(text);
      say(text);
      return;
    }
    this.file = file;
    this.hold();
    this.enqueue();
  }

  // All bytes are there: the server finishes it without the file.
  async complete() {
    const response = await request("HEAD", this.url).catch(() => null);
    const clipId = response?.headers.get("X-Clip-Id");
    if (clipId) this.finish(clipId);
    else this.interrupt();
  }
}

function chooseFor(item) {
  wanted = item;
  picker.click();
}

picker.addEventListener("change", () => {
  const [file] = picker.files;
  if (file && wanted && !wanted.isGone) wanted.resume(file);
  picker.value = "";
});
