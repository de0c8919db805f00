// Texts, checked: what a user gives, as a list of strings.
import { PotstillError } from "./files.js";

const HALF = /\p{Surrogate}/u; // matches what has no other half
const BLANK = /^(?:(?!\ufeff)\s|[\x1c-\x1f\x85])*$/; // as Python's str.isspace

function check(text, number) {
  if (BLANK.test(text)) throw new PotstillError(`text ${number} is empty: give it words or leave it out`);
  if (HALF.test(text)) throw new PotstillError(`text ${number} has half a surrogate pair: give valid Unicode`);
}

// The strings of one text or pair after another.
export function checkTexts(items, readsPairs) {
  const texts = [];
  items.forEach((item, index) => {
    const isPair = item !== null && typeof item === "object" && typeof item.text === "string" && typeof item.pair === "string";
    if (!isPair && typeof item !== "string") {
      const form = readsPairs ? "give { text, pair }" : "give strings only";
      throw new PotstillError(`text ${index + 1} is not a string, but ${item === null ? "null" : typeof item}: ${form}`);
    }
    if (readsPairs && !isPair)
      throw new PotstillError(`text ${index + 1} is a single text: this student takes pairs: give { text, pair }`);
    if (isPair && !readsPairs)
      throw new PotstillError(`text ${index + 1} is a pair of texts: this student takes single texts only`);
    for (const text of isPair ? [item.text, item.pair] : [item]) {
      check(text, index + 1);
      texts.push(text);
    }
  });
  return texts;
}
