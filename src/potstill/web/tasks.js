// What logits mean, as potstill/tasks of the Python package has it: one label a text, or several.
import { PotstillError } from "./files.js";

const UNDECIDED = 0.5;

function likeliest(values) {
  return values.indexOf(Math.max(...values));
}

function oneALabel(values, nLabels, name, most) {
  const isGood = Array.isArray(values) && values.length === nLabels;
  if (!isGood || !values.every((value) => typeof value === "number" && value >= 0 && value <= most))
    throw new PotstillError(`config.json: ${name} has not one number from 0 for each label; correct it`);
  return values;
}

// A task: probabilities of logits, the labels of probabilities, of which those below `atLeast` are left out.
export function taskOf(config, labels) {
  const known = ["single_label_classification", "multi_label_classification"];
  const kind = config.problem_type ?? known[0];
  if (!known.includes(kind))
    throw new PotstillError(`config.json: its problem_type is '${kind}', which is not supported: give a model of ${known.join(" or ")}`);
  const given = config.calibration_temperature ?? 1;
  const temperatures = Array.isArray(given)
    ? oneALabel(given, labels.length, "calibration_temperature", Infinity)
    : labels.map(() => given);
  if (!temperatures.every((value) => typeof value === "number" && value > 0))
    throw new PotstillError("config.json: calibration_temperature is not a number above 0; correct it");
  const scaled = (logits) => logits.map((logit, index) => logit / temperatures[index]);
  if (kind === known[0]) {
    return {
      takesSeveral: false,
      probabilities(logits) {
        const values = scaled(logits), largest = Math.max(...values);
        const powers = values.map((value) => Math.exp(value - largest));
        const sum = powers.reduce((a, b) => a + b, 0);
        return powers.map((power) => power / sum);
      },
      decide(logits, atLeast) {
        if (atLeast === undefined) return labels[likeliest(logits)];
        const probabilities = this.probabilities(logits), best = likeliest(probabilities);
        return probabilities[best] < atLeast ? null : labels[best];
      },
    };
  }
  const thresholds = (
    config.label_thresholds ? oneALabel(config.label_thresholds, labels.length, "label_thresholds", 1) : labels.map(() => UNDECIDED)
  ).map(Math.fround); // probabilities have 32 bits in Python
  return {
    takesSeveral: true,
    probabilities: (logits) => scaled(logits).map((value) => Math.fround(0.5 + 0.5 * Math.tanh(value / 2))),
    decide(logits, atLeast = 0) {
      const probabilities = this.probabilities(logits);
      return labels.filter((_, index) => probabilities[index] >= thresholds[index] && probabilities[index] >= atLeast);
    },
  };
}

// The probability that a number, or the name of a threshold, means.
export function findThreshold(given, known) {
  if (given === undefined || given === null) return undefined;
  if (typeof given === "string" && Object.hasOwn(known, given)) return known[given];
  const value = typeof given === "string" && given.trim() === "" ? NaN : Number(given);
  if (Number.isNaN(value)) {
    const names = Object.keys(known);
    const has = names.length ? `it has ${names.join(", ")}` : "it has none: potstill threshold fits one";
    throw new PotstillError(`no threshold '${given}': ${has}; or give a probability, such as 0.8`);
  }
  if (!(value >= 0 && value <= 1)) throw new PotstillError(`at least ${given}: a probability is between 0 and 1`);
  return value;
}

// The confidences that potstill threshold found, by their names.
export function thresholdsOf(config) {
  const known = config.confidence_thresholds ?? {}, thresholds = {};
  for (const [name, fitted] of Object.entries(known)) {
    const value = fitted?.at_least;
    if (!(typeof value === "number" && value >= 0 && value <= 1))
      throw new PotstillError(`config.json: confidence_thresholds has no probability under '${name}'; correct it`);
    thresholds[name] = value;
  }
  return thresholds;
}
