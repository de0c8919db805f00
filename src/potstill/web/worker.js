// What runs in the worker: a student, and the calls of its methods that arrive as messages.
import { isNode, nodeModule } from "./files.js";
import { Potstill } from "./potstill.js";

let student;

async function answer({ number, method, values }, port) {
  try {
    if (method !== "load") return port.postMessage({ number, result: student[method](...values) });
    student = await Potstill.load(...values);
    const { labels, readsPairs, precision, thresholds, takesSeveral } = student;
    port.postMessage({ number, result: { labels, readsPairs, precision, thresholds, takesSeveral } });
  } catch (error) {
    port.postMessage({ number, problem: error.message });
  }
}

if (isNode) {
  const { parentPort } = await nodeModule("worker_threads");
  parentPort.on("message", (data) => answer(data, parentPort));
} else {
  globalThis.addEventListener("message", ({ data }) => answer(data, globalThis));
}
