// A student of Potstill in the browser and on Node: raw text to labels. The arithmetic is potstill.wasm's, which is built
// of the same C++ source as the Python package's core.
import { Core } from "./core.js";
import { PotstillError, asObject, folderUrl, read, readIfThere, toUrl } from "./files.js";
import { loadInWorker } from "./remote.js";
import { findThreshold, taskOf, thresholdsOf } from "./tasks.js";
import { checkTexts } from "./texts.js";

export { PotstillError };

// By precision the file of the plan, and those that it may name as its weights.
const PLANS = {
  int8: ["plan.int8.json", "plan.int8.safetensors", "model.safetensors"],
  fp32: ["plan.json", "plan.safetensors", "model.safetensors"],
};

export class Potstill {
  #core;
  #task;

  // Loads a student. The options are explained in potstill.d.ts.
  static async load(folder, { worker = false, precision, wasm } = {}) {
    const place = await folderUrl(folder);
    const module = wasm ? await toUrl(wasm) : new URL("./potstill.wasm", import.meta.url);
    if (![undefined, null, "fp32", "int8"].includes(precision))
      throw new PotstillError(`no precision '${precision}': choose one of fp32, int8`);
    if (worker) return loadInWorker(place.href, { precision, wasm: module.href });
    const config = asObject(await read(new URL("config.json", place), "give a student's folder, such as runs/NAME/student"));
    if (!config) throw new PotstillError(`${place.href}config.json: not a JSON object; was it cut short?`);
    if (!String(config.model_type).startsWith("potstill-"))
      throw new PotstillError(`${place.href}: a ${config.model_type ?? "model"}, not a student: transformers run in Python only`);
    if (config.analyzer)
      throw new PotstillError(`${place.href}: this student reads morphemes, by the analyzer '${config.analyzer}', which runs in Python only`);
    const found = await readPlan(place, precision);
    const [tokenizer, weights] = await Promise.all([
      read(new URL("tokenizer.json", place), "it belongs to a student's folder"),
      read(new URL(found.plan.weights, place), `${found.name} names it`),
    ]);
    const files = [new TextEncoder().encode(JSON.stringify(config)), tokenizer, found.bytes, weights];
    const core = await Core.open(module, files, place.href);
    return new Potstill(core, config, { readsPairs: Boolean(found.plan.reads_pairs), precision: found.precision });
  }

  // Not for users: they call load.
  constructor(core, config, { readsPairs, precision }) {
    this.#core = core;
    this.labels = core.labels;
    this.readsPairs = readsPairs;
    this.precision = precision;
    this.thresholds = thresholdsOf(config);
    this.#task = taskOf(config, this.labels);
    this.takesSeveral = this.#task.takesSeveral;
  }

  predict(texts, { atLeast } = {}) {
    const least = findThreshold(atLeast, this.thresholds);
    return this.#forEach(texts, (logits) => this.#task.decide(logits, least));
  }

  probabilities(texts) {
    return this.#forEach(texts, (logits) => this.#task.probabilities(logits));
  }

  logits(texts) {
    return this.#forEach(texts, (logits) => logits);
  }

  words(text) {
    return this.#opened().words(String(text));
  }

  close() {
    this.#core = null; // with it goes its memory
  }

  #opened() {
    if (!this.#core) throw new PotstillError("this student was closed: load it again");
    return this.#core;
  }

  #forEach(texts, use) {
    const items = Array.isArray(texts) ? texts : [texts];
    const rows = this.#opened().logits(checkTexts(items, this.readsPairs), this.readsPairs ? 2 : 1).map(use);
    return Array.isArray(texts) ? rows : rows[0];
  }
}

// The plan of a precision; of none: of int8 where there is one.
async function readPlan(place, precision) {
  for (const [each, [name, ...weights]] of Object.entries(PLANS)) {
    if (precision && each !== precision) continue;
    const bytes = await readIfThere(new URL(name, place)), plan = bytes && asObject(bytes);
    const isNeeded = each === precision || each === "fp32";
    if (!plan && !isNeeded) continue; // some servers answer with a page where there is no file
    if (!bytes) break;
    if (!plan) throw new PotstillError(`${place.href}${name}: not a JSON object; was it cut short?`);
    if (!weights.includes(plan.weights)) // nothing outside the folder is read
      throw new PotstillError(`${place.href}${name}: does not name its weights; export the student again`);
    return { name, bytes, plan, precision: each };
  }
  const more = precision === "int8" ? " --int8" : "";
  throw new PotstillError(`${place.href}: no ${PLANS[precision ?? "fp32"][0]} in it; write it with: potstill export FOLDER${more}`);
}
