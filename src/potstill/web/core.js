// The native core as WebAssembly: a student's files in its memory, texts to logits. Each student has a memory of its own.
import { PotstillError, read } from "./files.js";

const ERROR_SIZE = 512, TEXT_SIZE = 8; // bytes: of a message, and of where a text is
const MOST_TEXTS = 256; // of one call
const TOO_LARGE = "the texts need more memory than there is: give shorter ones";

const modules = new Map(); // by URL, compiled once

function compiled(url) {
  if (!modules.has(url.href)) {
    const module = read(url, "it belongs beside potstill.js").then((bytes) => WebAssembly.compile(bytes)).catch((error) => {
      modules.delete(url.href);
      if (!(error instanceof WebAssembly.CompileError)) throw error;
      throw new PotstillError(`${url.href}: cannot be compiled; it needs WebAssembly with SIMD (${error.message})`);
    });
    modules.set(url.href, module);
  }
  return modules.get(url.href);
}

const encoder = new TextEncoder(), decoder = new TextDecoder();

export class Core {
  #functions;
  #student;
  #room = { texts: 0, n: 0, bytes: 0, size: 0, logits: 0, nLogits: 0 }; // what is kept for the next call
  #isBroken = false;

  // Opens a student of the contents of its files: configuration, tokenizer, plan, weights.
  static async open(wasm, files, place) {
    const instance = await WebAssembly.instantiate(await compiled(wasm));
    instance.exports._initialize();
    return new Core(instance.exports, files, place);
  }

  constructor(functions, files, place) {
    this.#functions = functions;
    this.#student = this.#guarded(() => this.#open(files, place));
    this.labels = this.#readLabels();
  }

  #open(files, place) {
    const starts = files.map((file) => this.#copied(file));
    const texts = this.#allocated(files.length * TEXT_SIZE), error = this.#allocated(ERROR_SIZE);
    files.forEach((file, index) => this.#setText(texts + index * TEXT_SIZE, starts[index], file.length));
    const [config, tokenizer, plan, weights] = files.map((_, index) => texts + index * TEXT_SIZE);
    const student = this.#functions.potstill_open_memory(config, tokenizer, plan, weights, error, ERROR_SIZE) >>> 0;
    if (!student) throw new PotstillError(`${place}: ${this.#string(error)}`);
    for (const address of [starts[0], starts[1], starts[2], texts, error]) this.#functions.free(address);
    return student;
  }

  #readLabels() {
    const labels = [];
    for (let at; (at = this.#functions.potstill_label(this.#student, labels.length) >>> 0); ) labels.push(this.#string(at));
    return labels;
  }

  // Logits, an array a text. Of pairs `texts` has two a text, one behind the other: `parts` is 2.
  logits(texts, parts) {
    const rows = [];
    for (let start = 0; start < texts.length; start += MOST_TEXTS * parts)
      rows.push(...this.#guarded(() => this.#part(texts.slice(start, start + MOST_TEXTS * parts), parts)));
    return rows;
  }

  #part(texts, parts) {
    const room = this.#room, nLabels = this.labels.length, n = texts.length / parts;
    // UTF-8 has at most three bytes for each of UTF-16's units.
    this.#grow("bytes", "size", texts.reduce((sum, text) => sum + 3 * text.length, 0), 1);
    this.#grow("texts", "n", texts.length, TEXT_SIZE);
    this.#grow("logits", "nLogits", n * nLabels, 4);
    let at = room.bytes;
    texts.forEach((text, index) => {
      const { written } = encoder.encodeInto(text, this.#bytes(at, room.bytes + room.size - at));
      this.#setText(room.texts + index * TEXT_SIZE, at, written);
      at += written;
    });
    if (this.#functions.potstill_logits(this.#student, room.texts, n, parts, room.logits)) throw new PotstillError(TOO_LARGE);
    const found = Array.from(new Float32Array(this.#functions.memory.buffer, room.logits, n * nLabels));
    return Array.from({ length: n }, (_, row) => found.slice(row * nLabels, (row + 1) * nLabels));
  }

  // The words of a text, with where each begins and ends, in characters.
  words(text) {
    return this.#guarded(() => {
      const bytes = encoder.encode(text), at = this.#copied(bytes), spans = this.#allocated(8 * bytes.length + 8);
      const count = this.#functions.potstill_words(at, bytes.length, spans);
      const found = Array.from(new Uint32Array(this.#functions.memory.buffer, spans, 2 * count));
      this.#functions.free(at);
      this.#functions.free(spans);
      const characters = Array.from(text);
      return Array.from({ length: count }, (_, index) => {
        const [start, end] = found.slice(2 * index, 2 * index + 2);
        return { word: characters.slice(start, end).join(""), start, end };
      });
    });
  }

  // Where memory ends, the core stops in the middle of its work: nothing in its memory can be relied upon afterwards.
  #guarded(call) {
    if (this.#isBroken) throw new PotstillError(`${TOO_LARGE}, and load the student again`);
    try {
      return call();
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) throw error;
      this.#isBroken = true;
      throw new PotstillError(`${TOO_LARGE}, and load the student again`);
    }
  }

  #bytes(at, size) {
    return new Uint8Array(this.#functions.memory.buffer, at, size); // anew: growing replaces the buffer
  }

  #allocated(size) {
    const at = this.#functions.malloc(size) >>> 0;
    if (!at) throw new RangeError("no memory");
    return at;
  }

  #copied(bytes) {
    const at = this.#allocated(bytes.length + 1);
    this.#bytes(at, bytes.length).set(bytes);
    return at;
  }

  #grow(field, count, needed, width) {
    const room = this.#room;
    if (room[field] && room[count] >= needed) return;
    if (room[field]) this.#functions.free(room[field]);
    room[field] = this.#allocated(Math.max(needed, 2 * room[count], 64) * width);
    room[count] = Math.max(needed, 2 * room[count], 64);
  }

  #setText(at, start, size) {
    new Uint32Array(this.#functions.memory.buffer, at, 2).set([start, size]);
  }

  #string(at) {
    const bytes = new Uint8Array(this.#functions.memory.buffer, at);
    return decoder.decode(bytes.subarray(0, bytes.indexOf(0)));
  }
}
