// Lengths in a platform's own units, as app/platforms/text_units.py counts them. The server's count decides.

const COUNTERS = {
  characters: (text) => [...text].length,
  utf16: (text) => text.length,
  bytes: (text) => new TextEncoder().encode(text).length,
};

export const count = (text, unit) => COUNTERS[unit](text);
