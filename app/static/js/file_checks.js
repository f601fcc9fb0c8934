// What a chosen file is, before any of its bytes are sent. Kinds and first bytes are those of app/media/containers.py.

import { $ } from "./dom.js";

const EDGE_BYTES = 64 * 1024; // as upload_files.FINGERPRINT_BYTES
const NO_VIDEO = "Это не видео. Подходят MP4, MOV, WebM и другие видеофайлы.";

const { maxBytes, maxMb, suffixes, signatures } = $("#upload").dataset;
const SUFFIXES = JSON.parse(suffixes);
const SIGNATURES = JSON.parse(signatures).map((parts) => parts.map(([offset, hex]) => ({ offset, bytes: bytesOf(hex) })));
const HEAD_BYTES = Math.max(...SIGNATURES.flat().map(({ offset, bytes }) => offset + bytes.length));

function bytesOf(hex) {
  return hex.match(/../g).map((pair) => parseInt(pair, 16));
}

export const isVideoName = (name) => SUFFIXES.some((suffix) => name.toLowerCase().endsWith(suffix));

// A sentence where the file cannot be taken, else null.
export async function refusal(file) {
  if (!file.size) return "Файл пустой. Выберите другой.";
  const isNamedVideo = isVideoName(file.name);
  if (file.type ? !file.type.startsWith("video/") && !isNamedVideo : !isNamedVideo && file.name.includes(".")) {
    return NO_VIDEO;
  }
  if (file.size > Number(maxBytes)) return `Файл больше ${maxMb} МБ. Сожмите видео или сократите его.`;
  try {
    const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
    if (SIGNATURES.some((parts) => parts.every((part) => isThere(part, head)))) return null;
  } catch (error) {
    return trouble(error);
  }
  return isNamedVideo ? "Внутри файла не видео, хотя он так называется. Проверьте, открывается ли он." : NO_VIDEO;
}

const isThere = ({ offset, bytes }, head) => bytes.every((byte, place) => head[offset + place] === byte);

// SHA-256 of the size, the first and the last bytes; null where the page may not compute it (without https).
export async function fingerprint(file) {
  if (!crypto.subtle) return null;
  const edges = [file.slice(0, EDGE_BYTES), file.slice(Math.max(file.size - EDGE_BYTES, 0))];
  const digest = await crypto.subtle.digest("SHA-256", await new Blob([String(file.size), ...edges]).arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Browsers refuse to read a file that has been changed, moved or deleted since it was chosen: null while it is as it was.
export async function lost(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return null;
  } catch (error) {
    return trouble(error);
  }
}

function trouble({ name }) {
  return name === "NotFoundError"
    ? "Файл удалён или перемещён. Выберите его заново."
    : "Файл изменился или больше не читается. Выберите его заново.";
}
