// What sticks out of a page, is cut off, or can hardly be read: a list of texts.
const [leastContrast] = arguments;
const faults = [];
const name = (node) => `${node.tagName} ${(node.textContent || "").trim().slice(0, 40)}`;
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width)
  faults.push(`the page is ${document.documentElement.scrollWidth} wide`);
const isHidden = (node) => node.closest("thead") && getComputedStyle(node.closest("thead")).position === "absolute";
for (const node of document.querySelectorAll("main *")) {
  if (node.closest("svg") || isHidden(node)) continue;
  const box = node.getBoundingClientRect();
  if (box.width && (box.right > width + 0.5 || box.left < -0.5)) faults.push(`outside: ${name(node)}`);
  if (node.clientWidth && node.scrollWidth > node.clientWidth + 1) faults.push(`cut off: ${name(node)}`);
  const parent = node.parentElement.getBoundingClientRect();
  if (box.width && box.right > parent.right + 1) faults.push(`over its parent: ${name(node)}`);
}
for (const cell of document.querySelectorAll("td, th")) {
  if (isHidden(cell)) continue;
  const range = document.createRange();
  range.selectNodeContents(cell);
  const text = range.getBoundingClientRect(), box = cell.getBoundingClientRect();
  if (text.width && (text.right > box.right + 1 || text.left < box.left - 1))
    faults.push(`wider than its cell: ${name(cell)}`);
}
for (const text of document.querySelectorAll("svg text")) {
  const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
  if (box.left < frame.left - 2 || box.right > frame.right + 2) faults.push(`outside its plot: ${name(text)}`);
}
const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
const light = (color) => {
  const [r, g, b] = color.slice(0, 3).map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const color = rgb(getComputedStyle(node).backgroundColor);
    if (color.length === 3 || color[3] > 0) return color;
  }
  return [255, 255, 255];
};
for (const node of document.querySelectorAll("td, th, p, h1, h2, h3, dt, dd, caption, figcaption, footer, span, svg text")) {
  if (!(node.textContent || "").trim()) continue;
  const style = getComputedStyle(node);
  const [a, b] = [light(rgb(node.closest("svg") ? style.fill : style.color)), light(behind(node))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < leastContrast) faults.push(`contrast ${contrast.toFixed(1)}: ${name(node)}`);
}
return [...new Set(faults)];
