// What every module needs of the page.

export const $ = (selector, root = document) => root.querySelector(selector);

export const inside = (box, { clientX, clientY }) =>
  clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
