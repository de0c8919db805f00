/** Students of Potstill in the browser and on Node: raw text to labels. */

/** A text; for a student of pairs, both texts of one. */
export type Text = string | { text: string; pair: string };

/** What is given for a text: its likeliest label, null where it is less likely than `atLeast`; where a text may have
 * several labels, the list of them. */
export type Decision = string | null | string[];

/** What the user can fix, in one line. */
export class PotstillError extends Error {}

export interface LoadOptions {
  /** Run in a worker: every method then gives a promise. */
  worker?: boolean;
  /** Default: int8 where the folder has it, else fp32. */
  precision?: "fp32" | "int8";
  /** Where `potstill.wasm` is; default: beside this script. */
  wasm?: string | URL;
}

export interface PredictOptions {
  /** A probability, or the name of one that `potstill threshold` found: no label that is less likely is given. */
  atLeast?: number | string;
}

/** A word of a text. */
export interface Word {
  word: string;
  /** Where it starts, in characters (code points, as `Array.from(text)` counts them). */
  start: number;
  /** Where it ends: the first character after it. */
  end: number;
}

interface Facts {
  /** The labels, in the order of probabilities and logits. */
  readonly labels: string[];
  /** Whether it takes pairs of texts. */
  readonly readsPairs: boolean;
  /** Whether a text may have several labels, or none. */
  readonly takesSeveral: boolean;
  readonly precision: "fp32" | "int8";
  /** The confidences that `potstill threshold` found, by their names. */
  readonly thresholds: Record<string, number>;
}

/** A student. An array of texts gives an array of answers; one text, one answer. */
export class Potstill implements Facts {
  /**
   * Load a student.
   * @param folder its folder's URL, or on Node its path: `config.json`, `tokenizer.json`, plan and weights.
   * @throws PotstillError when a file is missing or damaged, or the student runs in Python only.
   */
  static load(folder: string | URL, options: LoadOptions & { worker: true }): Promise<RemotePotstill>;
  static load(folder: string | URL, options?: LoadOptions & { worker?: false }): Promise<Potstill>;

  private constructor();
  readonly labels: string[];
  readonly readsPairs: boolean;
  readonly takesSeveral: boolean;
  readonly precision: "fp32" | "int8";
  readonly thresholds: Record<string, number>;

  /** The label of a text. */
  predict(text: Text, options?: PredictOptions): Decision;
  predict(texts: Text[], options?: PredictOptions): Decision[];

  /** The calibrated probability of each label, in the order of `labels`. */
  probabilities(text: Text): number[];
  probabilities(texts: Text[]): number[][];

  /** The logit of each label. */
  logits(text: Text): number[];
  logits(texts: Text[]): number[][];

  /** The words of a text, as students split them. */
  words(text: string): Word[];

  /** Free its memory. */
  close(): void;
}

/** A student in a worker. */
export interface RemotePotstill extends Facts {
  predict(text: Text, options?: PredictOptions): Promise<Decision>;
  predict(texts: Text[], options?: PredictOptions): Promise<Decision[]>;
  probabilities(text: Text): Promise<number[]>;
  probabilities(texts: Text[]): Promise<number[][]>;
  logits(text: Text): Promise<number[]>;
  logits(texts: Text[]): Promise<number[][]>;
  words(text: string): Promise<Word[]>;
  /** End the worker. */
  close(): void;
}
