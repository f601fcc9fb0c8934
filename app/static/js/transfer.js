// Sends one file by tus, in pieces, and continues where the server stopped receiving. tus itself is loaded with the first.

import { $ } from "./dom.js";
import { lost } from "./file_checks.js";
import { renewToken } from "./session.js";

const CHUNK = 16 * 1024 * 1024; // fits behind any proxy that buffers a request; a cut costs at most this much
const RETRY_MS = [0, 1000, 3000, 5000, 10000, 20000];
const REMOVE_MS = [0, 500, 2000, 5000];
const SPEED_MS = 5000; // of the last seconds
const GONE = 410; // the server has noticed that the file changed

const form = $("#upload");
let loading = null;

function loadTus() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = form.dataset.tus;
    script.addEventListener("load", () => resolve(window.tus));
    script.addEventListener("error", () => {
      loading = null;
      script.remove();
      reject(new Error("tus did not load"));
    });
    document.head.append(script);
  });
  return loading;
}

// Read anew for each request: session.js may have renewed it.
const token = () => form.elements.csrf_token.value;

export function request(method, url) {
  return fetch(url, { method, headers: { "Tus-Resumable": "1.0.0", "X-CSRFToken": token() } });
}

// True once the server has deleted the upload or does not know it. It may still be writing what was sent last.
export async function remove(url) {
  for (const pause of REMOVE_MS) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const response = await request("DELETE", url).catch(() => null);
    if (response?.ok || response?.status === 404) return true;
  }
  return false;
}

export class Transfer {
  // `file`, `fingerprint`, `url` of an upload to be continued; `publish()`: whether it is wished now.
  // on: created(url, wished), progress(sent, speed), waiting(), done(clipId), failed(text, {isFinal, isOffline}),
  // lastPiece(): a promise of the turn.
  constructor(file, { fingerprint, url, publish, on }) {
    Object.assign(this, { file, fingerprint, url, publish, on, run: 0, renewed: false });
  }

  async start() {
    const run = ++this.run;
    const current = () => run === this.run;
    this.samples = [];
    this.trouble = null;
    let tus;
    try {
      tus = await loadTus();
    } catch {
      if (current()) this.fail(null);
      return;
    }
    if (!current()) return;
    const wished = this.publish();
    const metadata = { filename: this.file.name, filetype: this.file.type };
    if (this.fingerprint) metadata.fingerprint = this.fingerprint;
    if (wished) metadata.publish = "1";
    const upload = new tus.Upload(this.file, {
      endpoint: form.dataset.endpoint,
      uploadUrl: this.url,
      chunkSize: CHUNK,
      retryDelays: RETRY_MS,
      storeFingerprintForResuming: false,
      metadata,
      onBeforeRequest: (one) => this.prepare(one, current),
      onShouldRetry: ({ originalResponse: response }) => {
        const again = current() && !this.trouble && (!response || isPassing(response));
        if (again) this.on.waiting();
        return again;
      },
      onUploadUrlAvailable: () => {
        const isNew = this.url !== upload.url;
        this.url = upload.url;
        if (current() && isNew) this.on.created(this.url, wished);
      },
      onProgress: (sent) => current() && this.progress(sent),
      onError: ({ originalResponse: response }) => current() && this.fail(response),
      onSuccess: ({ lastResponse }) => current() && this.on.done(lastResponse.getHeader("X-Clip-Id")),
    });
    this.upload = upload;
    upload.start();
  }

  // What is thrown here ends the request, and this run with it.
  async prepare(one, current) {
    if (one.getMethod() === "PATCH") {
      this.trouble = await lost(this.file);
      if (this.trouble) throw new Error(this.trouble);
      if (Number(one.getHeader("Upload-Offset")) + CHUNK >= this.file.size) await this.on.lastPiece();
    }
    if (!current()) throw new Error("stopped");
    one.setHeader("X-CSRFToken", token());
    if (this.fingerprint && one.getMethod() !== "POST") one.setHeader("Upload-Fingerprint", this.fingerprint);
  }

  progress(sent) {
    const now = performance.now();
    this.samples.push({ now, sent });
    while (now - this.samples[0].now > SPEED_MS && this.samples.length > 2) this.samples.shift();
    const [first] = this.samples;
    const seconds = (now - first.now) / 1000;
    this.on.progress(sent, seconds > 0.5 && sent > first.sent ? (sent - first.sent) / seconds : null);
  }

  // The server refuses with a sentence; without a response the connection is lost, or the file.
  async fail(response) {
    const run = this.run;
    this.trouble ??= response ? null : await lost(this.file);
    if (run !== this.run) return;
    if (this.trouble) {
      this.stop();
      this.on.failed(this.trouble, { isFinal: true });
    } else if (!response) {
      this.on.failed("Связь прервалась. Вернётся — продолжим с того же места.", { isOffline: true });
    } else if (response.getHeader("X-Session") && !this.renewed) {
      this.renewed = true;
      if (await renewed(response.getHeader("X-Session"))) this.start();
      else this.on.failed(sentence(response), {});
    } else {
      this.on.failed(sentence(response), { isFinal: response.getStatus() === GONE });
    }
  }

  stop() {
    this.run += 1;
    this.upload?.abort();
  }
}

// The page's token belongs to an earlier session of the same user: another one takes its place.
async function renewed(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
  const { user, token: fresh } = response?.ok ? await response.json() : {};
  if (!user || String(user) !== document.body.dataset.user) return false;
  renewToken(fresh);
  return true;
}

function sentence(response) {
  const isSentence = (response.getHeader("Content-Type") ?? "").startsWith("text/plain");
  return (isSentence && response.getBody().trim()) || "Сервер не принял файл. Попробуйте ещё раз.";
}

// The server is busy or away, or another request still holds this upload.
function isPassing(response) {
  const status = response.getStatus();
  return status >= 500 || status === 409 || status === 423 || Boolean(response.getHeader("Retry-After"));
}
