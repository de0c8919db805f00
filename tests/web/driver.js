// Loads students and calls their methods: what they give, or the error.
import { Potstill } from "./potstill/potstill.js";

export async function run(asked) {
  const told = [];
  for (const { folder, options, calls } of asked) {
    try {
      const student = await Potstill.load(folder, options);
      const { labels, precision, readsPairs } = student, results = [];
      for (const [method, ...values] of calls) {
        try {
          results.push(await student[method](...values));
        } catch (error) {
          results.push(String(error));
        }
      }
      student.close();
      told.push({ labels, precision, readsPairs, results });
    } catch (error) {
      told.push({ error: String(error) });
    }
  }
  return told;
}
