// From a drawing to a picture as MNIST has them: the ink 20 pixels large, its center of mass in the
// middle of 28 x 28 pixels.
const SIDE = 28;
const INK_SIDE = 20;

/**
 * The picture of a drawing.
 * @param {HTMLCanvasElement} canvas white ink on black.
 * @returns {Float32Array | null} 28 x 28 numbers from 0 to 1; null if there is no ink.
 */
export function pictureOf(canvas) {
  const ink = inkOf(canvas);
  const box = boxOf(ink, canvas.width);
  if (box === null) return null;
  const scale = INK_SIDE / Math.max(box.width, box.height);
  const width = box.width * scale;
  const height = box.height * scale;
  const draw = (left, top) => {
    const small = new OffscreenCanvas(SIDE, SIDE);
    const context = small.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(canvas, box.left, box.top, box.width, box.height, left, top, width, height);
    return inkOf(small);
  };
  const left = (SIDE - width) / 2;
  const top = (SIDE - height) / 2;
  const [x, y] = centerOf(draw(left, top));
  const middle = (SIDE - 1) / 2;
  return draw(left + middle - x, top + middle - y);
}

// How white each pixel is, from 0 to 1.
function inkOf(canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Float32Array.from({ length: data.length / 4 }, (_, i) => data[4 * i] / 255);
}

function boxOf(ink, side) {
  let left = side,
    top = side,
    right = -1,
    bottom = -1;
  ink.forEach((white, i) => {
    if (white === 0) return;
    const x = i % side;
    const y = Math.floor(i / side);
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  });
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

function centerOf(ink) {
  let sum = 0,
    x = 0,
    y = 0;
  ink.forEach((white, i) => {
    sum += white;
    x += white * (i % SIDE);
    y += white * Math.floor(i / SIDE);
  });
  return [x / sum, y / sum];
}
