// A student in a worker: the same methods, which give promises.
import { PotstillError, isNode, nodeModule } from "./files.js";

async function startWorker() {
  if (!isNode) return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const { Worker: Thread } = await nodeModule("worker_threads");
  const thread = new Thread(new URL("./worker.js", import.meta.url));
  thread.unref(); // it does not keep the process alive
  thread.addEventListener = (event, use) => thread.on(event, (data) => use(event === "message" ? { data } : data));
  return thread;
}

export async function loadInWorker(folder, options) {
  const student = new RemotePotstill(await startWorker());
  try {
    Object.assign(student, await student.call("load", [folder, options]));
  } catch (error) {
    student.close();
    throw error;
  }
  return student;
}

class RemotePotstill {
  #worker;
  #waiting = new Map(); // by the number of their question
  #asked = 0;

  constructor(worker) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => this.#answer(data));
    worker.addEventListener("error", (error) => this.#end(`the worker failed: ${error.message ?? "it cannot be loaded"}`));
  }

  predict(texts, options) {
    return this.call("predict", [texts, options]);
  }

  probabilities(texts) {
    return this.call("probabilities", [texts]);
  }

  logits(texts) {
    return this.call("logits", [texts]);
  }

  words(text) {
    return this.call("words", [text]);
  }

  close() {
    this.#end("this student was closed: load it again");
  }

  call(method, values) {
    if (!this.#worker) return Promise.reject(new PotstillError("this student was closed: load it again"));
    return new Promise((resolve, reject) => {
      const number = ++this.#asked;
      this.#waiting.set(number, { resolve, reject });
      this.#worker.ref?.();
      this.#worker.postMessage({ number, method, values });
    });
  }

  #answer({ number, result, problem }) {
    if (!this.#waiting.has(number)) return; // it was closed meanwhile
    const { resolve, reject } = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (!this.#waiting.size) this.#worker?.unref?.();
    if (problem === undefined) resolve(result);
    else reject(new PotstillError(problem));
  }

  #end(problem) {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(new PotstillError(problem));
    this.#waiting.clear();
  }
}
