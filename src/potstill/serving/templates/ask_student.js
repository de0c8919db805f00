// The answers that the server would give, by a student in this browser.
const { model: name, mostWords } = form.dataset;
const loading = import("./potstill.js").then(({ Potstill }) => Potstill.load("student", { worker: true }));
loading.catch(() => {}); // it is told when an answer is asked for
navigator.serviceWorker?.register("sw.js").catch(() => {}); // else it needs the network, as it does now

function toAnswer(student, decision, probabilities) {
  const order = student.labels.map((_, index) => index).sort((a, b) => probabilities[b] - probabilities[a]);
  const answer = {
    answered_by: name,
    probabilities: Object.fromEntries(order.map((index) => [student.labels[index], probabilities[index]])),
  };
  if (!student.takesSeveral) return { ...answer, label: decision };
  const [best] = order, probability = Number(probabilities[best].toPrecision(4));
  const reason = `the likeliest label, ${student.labels[best]}, has a probability of ${probability}, below its threshold`;
  return { ...answer, labels: decision, ...(decision.length ? {} : { reason }) };
}

// Each word is left out in turn, of a pair beside the other text as it is.
async function explain(student, texts) {
  const words = await Promise.all(texts.map((each) => student.words(each)));
  const nWords = words.flat().length;
  if (nWords > mostWords) {
    const what = texts.length > 1 ? "two texts have" : "text has";
    throw new Error(`the ${what} ${nWords} words: give at most ${mostWords} to explain`);
  }
  const asked = [], without = [];
  for (const [part, inPart] of words.entries()) {
    if (inPart.length < 2) continue; // without it nothing would be left
    const letters = Array.from(texts[part]);
    for (const word of inPart) {
      const left = [...letters.slice(0, word.start), ...letters.slice(word.end)].join("");
      asked.push({ ...word, part });
      without.push(texts.map((each, index) => (index === part ? left : each)));
    }
  }
  const [whole, ...rows] = await student.probabilities([texts, ...without].map(toInput));
  const best = whole.indexOf(Math.max(...whole));
  const weighed = asked.map((word, index) => ({ ...word, weight: whole[best] - rows[index][best] }));
  return { words: weighed.filter(({ part }) => part === 0), pair_words: weighed.filter(({ part }) => part === 1) };
}

const toInput = ([first, second]) => (second === undefined ? first : { text: first, pair: second });

async function ask(path, body) {
  const student = await loading;
  if (path === "models") return { models: [{ name, ...(student.readsPairs ? { reads: "pairs" } : {}) }] };
  const texts = student.readsPairs ? [body.text, body.text_pair] : [body.text];
  if (path === "explain") return explain(student, texts);
  const began = performance.now(), decision = await student.predict(toInput(texts));
  const milliseconds = performance.now() - began;
  return { answers: [toAnswer(student, decision, await student.probabilities(toInput(texts)))], milliseconds };
}
