// SPDX-License-Identifier: Apache-2.0
// The WebAssembly of digits.cpp as a few JavaScript functions.
"use strict";

// in the order of unicode/utf8proc.h
const unicodeClasses = ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc"]
  .map((name) => new RegExp(`^\\p{${name}}$`, "u"));
const unicode = {
  category: (c) => unicodeClasses.findIndex((one) => one.test(String.fromCodePoint(c))) + 1,
  lower: (c) => {
    const lower = [...String.fromCodePoint(c).toLowerCase()];
    return lower.length === 1 ? lower[0].codePointAt(0) : c;
  },
};

/** The model in the bytes of a WebAssembly module. */
async function loadDigits(bytes) {
  const { instance } = await WebAssembly.instantiate(bytes, { unicode });
  const e = instance.exports;
  const bytesFrom = (address, count) => new Uint8Array(e.memory.buffer, address, count);
  const check = (message) => {
    if (message === 0) return;
    const rest = bytesFrom(message);
    throw new Error(new TextDecoder().decode(rest.subarray(0, rest.indexOf(0))));
  };
  const rows = (address, count) =>
    Array.from({ length: count }, (_, i) => new Float32Array(e.memory.buffer, address + i * 256, 64).slice());
  let images = 0;

  e._initialize();
  const digits = {
    steps: e.steps(),
    mostImages: e.most_images(),
    /** Prompt 0 is the empty text, 1 and 2 are those between which images are drawn. Returns how many tokens were cut off. */
    setPrompt(which, text) {
      const room = e.text_bytes();
      const { written } = new TextEncoder().encodeInto(text.normalize("NFC"), bytesFrom(e.text(), room));
      check(e.set_prompt(which, written));
      return e.cut(which);
    },
    /** Begins images of a seed under prompt 1 (mix 0), prompt 2 (mix 1) or between them. */
    start(count, seed, mix) {
      check(e.start(count, seed, mix));
      images = count;
    },
    step: () => check(e.step()),
    /** [images][64] numbers from 0 to 1, rows of a picture one below the other. */
    pictures: () => rows(e.pictures(), images),
    embeddings: () => rows(e.embeddings(), images),
  };
  digits.setPrompt(0, "");
  return digits;
}
