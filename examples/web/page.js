// SPDX-License-Identifier: Apache-2.0
// The page: typing and dragging start runs of the model, one step at a time so that the page stays responsive.
"use strict";

const images = 8, frame = 32; // milliseconds of a step on the screen
const large = 128; // pixels of a picture on the screen
const at = (id) => document.getElementById(id);
const words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
let digits; // of loadDigits
let seed = 0;
let wanted = 0; // counts requests: a run of an older request ends
let finished = null; // a promise of the run in progress

const canvases = Array.from({ length: images }, () => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = large;
  at("pictures").append(canvas);
  return canvas;
});

const small = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
small.canvas.width = small.canvas.height = 10; // a picture and a margin of one pixel

/** A picture of 8 x 8 numbers in the colour of the ink, enlarged, with the edges of its strokes made steeper. */
function draw(canvas, picture) {
  const pixels = new ImageData(8, 8), context = canvas.getContext("2d", { willReadFrequently: true });
  picture.forEach((x, i) => { pixels.data[4 * i + 3] = Math.round(255 * x); });
  small.clearRect(0, 0, 10, 10);
  small.putImageData(pixels, 1, 1);
  context.clearRect(0, 0, large, large);
  context.drawImage(small.canvas, 0, 0, large, large);
  const enlarged = context.getImageData(0, 0, large, large);
  const [red, green, blue] = getComputedStyle(canvas).color.match(/\d+/g).map(Number);
  for (let i = 0; i < enlarged.data.length; i += 4) {
    const x = Math.min(1, Math.max(0, (enlarged.data[i + 3] / 255 - 0.1) / 0.75));
    enlarged.data.set([red, green, blue, Math.round(255 * x * x * (3 - 2 * x))], i);
  }
  context.putImageData(enlarged, 0, 0);
}
const drawAll = () => digits.pictures().forEach((picture, i) => draw(canvases[i], picture));

function say(step, milliseconds) {
  at("progress").value = step;
  at("step").textContent = `${step} of ${digits.steps}`;
  at("noise").textContent = `seed ${seed}`;
  if (step > 0) at("time").textContent = `${(milliseconds / step / images).toFixed(2)} ms`;
}

function described(mix) {
  const from = at("from").value, to = at("to").value;
  if (mix === 0) return `“${from}”`;
  if (mix === 1) return `“${to}”`;
  return `${Math.round(100 * mix)} % of the way from “${from}” to “${to}”`;
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Samples all images. Slowly: every step is shown for a while; otherwise the last alone, as fast as it can. */
async function run(slowly) {
  if (!digits) return;
  const mine = ++wanted;
  const before = finished;
  let done;
  finished = new Promise((resolve) => { done = resolve; });
  await before; // it ends as soon as it sees a newer request, or with its pictures if it is quick
  try {
    if (mine === wanted) await sample(mine, slowly);
  } catch (error) {
    at("status").textContent = `The model stopped: ${error.message}`;
  } finally {
    done();
  }
}
async function sample(mine, slowly) {
  const mix = Number(at("mix").value) / 100;
  const cut = digits.setPrompt(1, at("from").value) + digits.setPrompt(2, at("to").value);
  at("mix").setAttribute("aria-valuetext", described(mix));
  digits.start(images, seed, mix);
  let milliseconds = 0;
  if (slowly) {
    say(0, 0);
    drawAll();
    await pause(frame);
  }
  for (let step = 1; step <= digits.steps; ++step) {
    const begin = performance.now();
    digits.step();
    const took = performance.now() - begin;
    milliseconds += took;
    if (slowly) {
      say(step, milliseconds);
      drawAll();
    }
    await pause(slowly ? Math.max(0, frame - took) : 0);
    if (slowly && mine !== wanted) return;
  }
  say(digits.steps, milliseconds);
  drawAll();
  at("pictures").setAttribute("aria-label", `${images} pictures: ${described(mix)}`);
  at("status").textContent = cut > 0 ? "A prompt is longer than 16 tokens: its end was left out." : described(mix);
}

const still = matchMedia("(prefers-reduced-motion: reduce)");
let typed;
for (const id of ["from", "to"])
  at(id).addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => run(!still.matches), 250);
  });
at("mix").addEventListener("input", () => run(false));
at("prompts").addEventListener("submit", (event) => {
  event.preventDefault();
  run(!still.matches);
});
at("again").addEventListener("click", () => {
  seed = (seed + 1) % 1000;
  run(!still.matches);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => digits && drawAll());
for (const word of words)
  for (const how of ["a handwritten", "a bold", "a thin", "a wide", "a narrow"]) {
    const option = document.createElement("option");
    option.value = `${how} ${word}`;
    at("examples").append(option);
  }

const ready = (async () => {
  try {
    digits = await loadDigits(Uint8Array.from(atob(at("wasm").textContent), (c) => c.charCodeAt(0)));
    await run(!still.matches);
  } catch (error) {
    at("status").textContent = `The model did not start: ${error.message}. It needs a browser with WebAssembly and its SIMD.`;
  }
})();
