// The card of a clip that has just been uploaded, at its place in the grid.

import { $ } from "./dom.js";
import { isLoading } from "./navigation.js";
import { lookSoon } from "./poll.js";

// Cards are requested one after the other: of several requests for one place htmx keeps only the last.
let shown = Promise.resolve();
// Clips whose cards the page that is on its way may lack, and would take away with the page that it replaces.
const awaited = new Set();

// The newest clips are on the page: a new card has its place there.
export const showsNewest = () =>
  Boolean($("#clips")) && [...new URLSearchParams(location.search).keys()].every((name) => name === "clip");

// The grid's newest come first.
async function insert(card, clipId) {
  const grid = $("#clips");
  if (!grid || document.getElementById(`clip-${clipId}`)) return;
  const older = [...grid.children].find(({ id }) => Number(id.replace("clip-", "")) < Number(clipId));
  await window.htmx.ajax("GET", card, { target: older ?? grid, swap: older ? "beforebegin" : "beforeend" });
}

export function showCard(clipId) {
  const card = $("#upload").dataset.card.replace("/0/", `/${clipId}/`);
  awaited.add(clipId);
  shown = shown
    .then(() => insert(card, clipId))
    .then(() => isLoading() || awaited.delete(clipId))
    .then(lookSoon, () => {});
}

document.addEventListener("navigated", () => {
  const clips = [...awaited];
  awaited.clear();
  if (showsNewest()) clips.forEach(showCard);
});
