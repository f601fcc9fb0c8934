// One row of the tray: what it shows in each state. The percents are no live region; `say` is.

import { $ } from "./dom.js";

const rows = $("#uploads");
const tray = $("#tray");
const toggle = $("#tray-toggle");
const COLLAPSED = "uploads-collapsed";

// The labels of the two buttons. `wish`: it can still be published when it is ready.
const STATES = {
  checking: { drop: "Отменить" },
  asking: { go: "Загрузить", drop: "Не надо" },
  waiting: { drop: "Отменить", wish: true },
  sending: { go: "Пауза", drop: "Отменить", wish: true },
  paused: { go: "Продолжить", drop: "Отменить", wish: true },
  interrupted: { go: "Продолжить", drop: "Забыть", wish: true },
  failed: { go: "Повторить", drop: "Отменить", wish: true, wrong: true },
  refused: { drop: "Убрать", wrong: true },
  done: { drop: "Убрать" },
};

export function say(text) {
  $("#uploads-say").textContent = text;
}

export class Row {
  // `on`: what to do at a press: go(), drop(), publish(wished).
  constructor(name, on) {
    this.name = name;
    this.element = $("#upload-row").content.firstElementChild.cloneNode(true);
    const find = (part) => $(`[data-${part}]`, this.element);
    [this.state, this.go, this.drop, this.wish, this.box, this.link] = [
      ...["state", "go", "drop", "wish", "publish", "clip"].map(find),
    ];
    this.bar = $("progress", this.element);
    this.bar.setAttribute("aria-label", `Загрузка: ${name}`);
    find("name").textContent = name;
    find("name").title = name;
    this.go.addEventListener("click", () => on.go());
    this.drop.addEventListener("click", () => on.drop());
    this.box.addEventListener("change", () => on.publish(this.box.checked));
    this.box.setAttribute("aria-label", `Опубликовать, когда загрузится: ${name}`);
    // Above those of an earlier visit.
    rows.insertBefore(this.element, $('[data-state="interrupted"]', rows));
    tray.hidden = false;
  }

  show(state, text, percent = null) {
    const { go, drop, wish, wrong } = STATES[state];
    this.element.dataset.state = state;
    this.element.classList.toggle("wrong", Boolean(wrong));
    this.label(this.go, go);
    this.label(this.drop, drop);
    this.wish.hidden = !wish;
    this.progress(text, percent);
  }

  // Something is to be answered or read.
  reveal() {
    collapse(false);
    this.element.scrollIntoView({ block: "nearest" });
  }

  progress(text, percent) {
    this.state.textContent = text;
    this.bar.hidden = percent === null;
    if (percent !== null) this.bar.value = percent;
  }

  label(button, text) {
    if (!text && document.activeElement === button) this.drop.focus();
    button.hidden = !text;
    button.textContent = text ?? "";
    button.setAttribute("aria-label", `${text}: ${this.name}`);
  }

  leadTo(url) {
    this.link.href = url;
    this.link.hidden = false;
    this.link.setAttribute("aria-label", `К клипу: ${this.name}`);
  }

  remove() {
    const hadFocus = this.element.contains(document.activeElement);
    const next = this.element.nextElementSibling ?? this.element.previousElementSibling;
    this.element.remove();
    tray.hidden = !rows.childElementCount;
    if (hadFocus) (next ? $("[data-drop]", next) : $("#main")).focus({ preventScroll: true });
  }
}

// The head of the tray: how many are not done, and how far they are together.
export function sum(count, percent) {
  $("#tray-title").textContent = count ? `Загрузки: ${count}` : "Загрузки";
  $("#tray-total").textContent = percent === null ? "" : `${percent} %`;
}

function collapse(isCollapsed) {
  toggle.setAttribute("aria-expanded", String(!isCollapsed));
  rows.hidden = isCollapsed;
  sessionStorage.setItem(COLLAPSED, isCollapsed ? "1" : "");
}

export function unfold() {
  collapse(false);
}

toggle.addEventListener("click", () => collapse(!rows.hidden));
collapse(Boolean(sessionStorage.getItem(COLLAPSED)));
