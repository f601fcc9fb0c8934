// Local times of the user's zone as `<input type="datetime-local">` has them: «2026-11-28T10:00». The zone is that of
// the profile, not the browser's: nothing is converted, and UTC serves only to count days.

const DAY_MS = 24 * 60 * 60 * 1000;
const MINUTE_MS = 60 * 1000;

export const parse = (local) => {
  const [, year, month, day, hour = 0, minute = 0] =
    /^(\d{4,})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d))?/.exec(local)?.map((part) => (part === undefined ? undefined : Number(part))) ?? [];
  return year ? new Date(Date.UTC(year, month - 1, day, hour, minute)) : null;
};
export const dayOf = (moment) => moment.toISOString().slice(0, 10);
export const timeOf = (moment) => moment.toISOString().slice(11, 16);
export const toLocal = (moment) => moment.toISOString().slice(0, 16);
export const addDays = (moment, days) => new Date(moment.getTime() + days * DAY_MS);
export const addMinutes = (moment, minutes) => new Date(moment.getTime() + minutes * MINUTE_MS);

// In the month that is `months` further, on the same day or its last one.
export function addMonths(moment, months) {
  const first = new Date(Date.UTC(moment.getUTCFullYear(), moment.getUTCMonth() + months, 1));
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  first.setUTCDate(Math.min(moment.getUTCDate(), last));
  return first;
}

const DATE = { weekday: "short", day: "numeric", month: "long" };
const DATE_OF_YEAR = { ...DATE, year: "numeric" };
const WHOLE_DATE = { ...DATE_OF_YEAR, weekday: "long" };
const MONTH = { month: "long" };

// A format is made when it is needed: on a phone it takes a tenth of a second.
const formats = new Map();
function words(moment, options) {
  if (!formats.has(options)) formats.set(options, new Intl.DateTimeFormat("ru", { timeZone: "UTC", ...options }));
  return formats.get(options).format(moment);
}

// «сб, 28 ноября, 10:00»; with the year where it is not the present one.
export function shortWords(moment, now) {
  const date = moment.getUTCFullYear() === now.getUTCFullYear() ? DATE : DATE_OF_YEAR;
  return `${words(moment, date)}, ${timeOf(moment)}`;
}
export const dayWords = (moment) => words(moment, WHOLE_DATE);
export const monthWords = (moment) => `${words(moment, MONTH)} ${moment.getUTCFullYear()}`;

// What time it is for the user: the server's, and what has passed since it was loaded.
const loaded = new WeakMap();
export function nowOf(element) {
  if (!loaded.has(element)) loaded.set(element, performance.now());
  return new Date(parse(element.dataset.now).getTime() + performance.now() - loaded.get(element));
}
