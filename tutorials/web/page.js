// A canvas to draw on; the model tells the digit when the pen is lifted.
import { loadModel, recognize } from "./model.js";
import { pictureOf } from "./picture.js";

const [canvas, digit, progress, status] = ["canvas", "digit", "progress", "status"].map((id) =>
  document.getElementById(id),
);
const context = canvas.getContext("2d", { willReadFrequently: true });
Object.assign(context, {
  strokeStyle: "white",
  lineWidth: 22,
  lineCap: "round",
  lineJoin: "round",
});

function clear() {
  context.fillStyle = "black";
  context.fillRect(0, 0, canvas.width, canvas.height);
  digit.value = "";
}

let isDrawing = false;
let last;

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  isDrawing = true;
  digit.value = "";
  last = [event.offsetX, event.offsetY];
});
canvas.addEventListener("pointermove", (event) => {
  if (!isDrawing) return;
  const next = [event.offsetX, event.offsetY];
  context.beginPath();
  context.moveTo(...last);
  context.lineTo(...next);
  context.stroke();
  last = next;
});
canvas.addEventListener("pointerup", () => {
  isDrawing = false;
  canvas.dispatchEvent(new Event("drawn"));
});
document.getElementById("clear").addEventListener("click", clear);
clear();

try {
  const model = await loadModel(({ phase, doneBytes, totalBytes }) => {
    const size = `${(totalBytes ?? doneBytes).toLocaleString("en-US")} bytes`;
    status.textContent = phase === "download" ? `Downloading ${size}` : `Unpacking ${size}`;
    if (totalBytes) progress.value = doneBytes / totalBytes;
  });
  status.textContent = "Ready";
  canvas.addEventListener("drawn", async () => {
    const picture = pictureOf(canvas);
    if (picture !== null) digit.value = await recognize(model, picture);
  });
  // Of what was drawn meanwhile.
  canvas.dispatchEvent(new Event("drawn"));
} catch (error) {
  status.textContent = error.message;
  throw error;
}
