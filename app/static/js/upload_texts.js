// «29 % · 12 из 40 МБ · 3 МБ/с · осталось 10 с»

const SLOW = 100_000; // bytes a second: below, in kilobytes

export function megabytes(bytes) {
  const value = bytes / 1e6;
  return value.toLocaleString("ru", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

export const percentOf = (sent, size) => (size ? Math.floor((100 * sent) / size) : 0);

export const left = (sent, size) => `${megabytes(sent)} из ${megabytes(size)} МБ`;

// `speed` in bytes a second; null while it is not known.
export function progressText(sent, size, speed) {
  const parts = [`${percentOf(sent, size)} %`, left(sent, size)];
  if (speed) {
    parts.push(speed < SLOW ? `${Math.ceil(speed / 1000)} КБ/с` : `${megabytes(speed)} МБ/с`);
    if (sent < size) parts.push(`осталось ${duration((size - sent) / speed)}`);
  }
  if (sent === size) return "100 % · сохраняем…";
  return parts.join(" · ");
}

function duration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} с`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} мин`;
  return `${Math.floor(minutes / 60)} ч ${minutes % 60} мин`;
}
