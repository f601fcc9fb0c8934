// A month and a 24-hour time beside a field «Дата и время»: `data-calendar` names the field, which holds the value and
// works without this script.
//
// By keyboard: arrows go by days and weeks, PageUp and PageDown by months (with Shift by years), Home and End to the
// ends of a week, Enter and Space choose. Days outside of the field's `min` and `max` cannot be chosen.

import { $ } from "./dom.js";
import { addDays, addMinutes, addMonths, dayOf, dayWords, monthWords, nowOf, parse, timeOf, toLocal } from "./local-time.js";

const WEEK = [
  ["пн", "понедельник"],
  ["вт", "вторник"],
  ["ср", "среда"],
  ["чт", "четверг"],
  ["пт", "пятница"],
  ["сб", "суббота"],
  ["вс", "воскресенье"],
];
const WEEKS_SHOWN = 6;
const STEP_MINUTES = 5;
const MORNING = "10:00";

function element(tag, attributes = {}, ...children) {
  const one = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) one.setAttribute(name, value);
  one.append(...children);
  return one;
}
const button = (label, sign, mark) => element("button", { type: "button", "aria-label": label, [mark]: "" }, sign);
const weekday = (moment) => (moment.getUTCDay() + 6) % 7;

class Calendar {
  constructor(place) {
    this.place = place;
    this.field = document.getElementById(place.dataset.calendar);
    this.focused = parse(dayOf(this.value ?? this.earliest));
    this.build();
    this.draw();
    this.listen();
  }

  get value() {
    return parse(this.field.value);
  }

  get earliest() {
    return parse(this.field.min);
  }

  get latest() {
    return parse(this.field.max);
  }

  build() {
    const id = `${this.field.id}-calendar`;
    this.month = element("p", { class: "calendar-month", id, "aria-live": "polite" });
    this.days = element("tbody");
    const names = WEEK.map(([short, long]) => element("th", { scope: "col", abbr: long }, short));
    this.time = element("input", { type: "text", id: `${this.field.id}-time`, inputmode: "numeric", autocomplete: "off", maxlength: "5" });
    this.place.append(
      element(
        "div",
        { class: "calendar-days" },
        element(
          "div",
          { class: "calendar-head" },
          button("Предыдущий месяц", "‹", "data-earlier"),
          this.month,
          button("Следующий месяц", "›", "data-later"),
        ),
        element(
          "table",
          { role: "grid", "aria-labelledby": id },
          element("thead", {}, element("tr", {}, ...names)),
          this.days,
        ),
      ),
      element(
        "div",
        { class: "calendar-time" },
        element("label", { for: this.time.id }, "Время"),
        button(`На ${STEP_MINUTES} минут раньше`, "−", "data-less"),
        this.time,
        button(`На ${STEP_MINUTES} минут позже`, "+", "data-more"),
      ),
    );
  }

  draw() {
    const [shown, chosen] = [this.focused, this.value];
    const first = new Date(Date.UTC(shown.getUTCFullYear(), shown.getUTCMonth(), 1));
    const today = dayOf(nowOf(this.place));
    this.month.textContent = monthWords(shown);
    let day = addDays(first, -weekday(first));
    const rows = [];
    for (let week = 0; week < WEEKS_SHOWN; week += 1) {
      const row = element("tr");
      for (let number = 0; number < WEEK.length; number += 1) {
        row.append(this.cell(day, day.getUTCMonth() === first.getUTCMonth(), today, chosen));
        day = addDays(day, 1);
      }
      rows.push(row);
    }
    this.days.replaceChildren(...rows);
    $("[data-earlier]", this.place).disabled = dayOf(addDays(first, -1)) < dayOf(this.earliest);
    $("[data-later]", this.place).disabled = dayOf(addMonths(first, 1)) > dayOf(this.latest);
    if (document.activeElement !== this.time) this.time.value = chosen ? timeOf(chosen) : "";
  }

  cell(day, ofMonth, today, chosen) {
    const key = dayOf(day);
    if (!ofMonth) return element("td", { role: "gridcell" });
    const isChosen = chosen !== null && dayOf(chosen) === key;
    const one = element(
      "button",
      {
        type: "button",
        "data-day": key,
        tabindex: key === dayOf(this.focused) ? "0" : "-1",
        "aria-label": dayWords(day) + (key === today ? ", сегодня" : ""),
        "aria-current": key === today ? "date" : null,
        "aria-pressed": String(isChosen),
      },
      String(day.getUTCDate()),
    );
    one.disabled = key < dayOf(this.earliest) || key > dayOf(this.latest);
    return element("td", { role: "gridcell", "aria-selected": String(isChosen) }, one);
  }

  // Moves the focus to a day, as far as days can be chosen.
  go(day) {
    const [low, high] = [parse(dayOf(this.earliest)), parse(dayOf(this.latest))];
    this.focused = day < low ? low : day > high ? high : day;
    this.draw();
    $(`[data-day="${dayOf(this.focused)}"]`, this.days).focus();
  }

  turn(months) {
    const [low, high] = [parse(dayOf(this.earliest)), parse(dayOf(this.latest))];
    const day = addMonths(this.focused, months);
    this.focused = day < low ? low : day > high ? high : day;
    this.draw();
  }

  // Stores a time that is not before the earliest; whatever listens to the field learns of it.
  set(moment) {
    const fits = moment < this.earliest ? this.earliest : moment > this.latest ? this.latest : moment;
    this.field.value = toLocal(fits);
    this.field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  choose(day) {
    this.set(parse(`${day}T${this.value ? timeOf(this.value) : MORNING}`));
  }

  step(minutes) {
    const from = this.value ?? parse(`${dayOf(this.focused)}T${MORNING}`);
    this.set(addMinutes(from, minutes));
    this.time.value = timeOf(this.value);
  }

  // «9», «930», «19:30»; anything else leaves the time as it was.
  typed() {
    const [, hours, minutes = "0"] = /^\s*(\d{1,2}?)(?:\D?(\d\d))?\s*$/.exec(this.time.value) ?? [];
    if (hours !== undefined && Number(hours) < 24 && Number(minutes) < 60) {
      const day = dayOf(this.value ?? this.focused);
      this.set(parse(`${day}T${hours.padStart(2, "0")}:${minutes.padStart(2, "0")}`));
    }
    this.time.value = this.value ? timeOf(this.value) : "";
  }

  listen() {
    this.place.addEventListener("click", ({ target }) => {
      const pressed = target.closest("button");
      if (!pressed) return;
      if (pressed.dataset.day) {
        this.focused = parse(pressed.dataset.day);
        this.choose(pressed.dataset.day);
        $(`[data-day="${dayOf(this.focused)}"]`, this.days).focus();
      } else if ("earlier" in pressed.dataset) this.turn(-1);
      else if ("later" in pressed.dataset) this.turn(1);
      else this.step("more" in pressed.dataset ? STEP_MINUTES : -STEP_MINUTES);
    });
    this.days.addEventListener("keydown", (event) => this.byKey(event));
    this.time.addEventListener("change", () => this.typed());
    this.time.addEventListener("keydown", (event) => {
      const step = { ArrowUp: STEP_MINUTES, ArrowDown: -STEP_MINUTES, PageUp: 60, PageDown: -60 }[event.key];
      if (event.key === "Enter") this.typed();
      if (!step) return;
      event.preventDefault();
      this.typed();
      this.step(step);
    });
    // The time's own typing is no value yet, but the field's is.
    this.time.addEventListener("input", (event) => event.stopPropagation());
    this.field.addEventListener("input", () => {
      if (this.value) this.focused = parse(dayOf(this.value));
      this.draw();
    });
  }

  byKey(event) {
    const day = this.focused;
    const moves = {
      ArrowLeft: () => addDays(day, -1),
      ArrowRight: () => addDays(day, 1),
      ArrowUp: () => addDays(day, -7),
      ArrowDown: () => addDays(day, 7),
      PageUp: () => addMonths(day, event.shiftKey ? -12 : -1),
      PageDown: () => addMonths(day, event.shiftKey ? 12 : 1),
      Home: () => addDays(day, -weekday(day)),
      End: () => addDays(day, 6 - weekday(day)),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    this.go(moves[event.key]());
  }
}

function setUp() {
  for (const place of document.querySelectorAll("[data-calendar]:empty")) new Calendar(place);
}

document.body.addEventListener("htmx:afterSwap", setUp);
document.addEventListener("navigated", setUp);
setUp();
