"use strict";
// Every model is asked for its answer and then for its words; texts are only ever set as text. There is a field for a second
// text where a model reads pairs. ask(path, body) is in ask_server.js, and of a page without a server in ask_student.js.
const at = (id) => document.getElementById(id);
const form = at("form"), text = at("text"), pair = at("pair"), go = at("go"), results = at("results");
const MOST = 5; // labels of a model that are shown
let asked = 0; // an answer to an older question is dropped

const percent = (share) => (share > 0.999 && share < 1 ? "> 99.9" : (100 * share).toFixed(1)) + " %";
const signed = (weight) => (weight < 0 ? "−" : "+") + (100 * Math.abs(weight)).toFixed(1);

function element(tag, content, classes = "") {
  const made = document.createElement(tag);
  made.textContent = content;
  made.className = classes;
  return made;
}

function labelRow([label, share], index) {
  const row = element("tr", "", index ? "" : "best");
  const name = element("th", label), cell = element("td", "", "bar"), bar = element("div", "");
  name.scope = "row";
  bar.style.setProperty("--share", `${100 * share}%`);
  cell.append(bar);
  row.append(name, cell, element("td", percent(share)));
  return row;
}

// One label, several of them, or none.
const said = ({ label, labels }) => (labels ? labels.join(", ") : label) || "none of these";

// What a model is asked; one of single texts gets the first text alone.
function request([text, second], model) {
  const body = { text, model: model.name };
  return model.reads && second !== undefined ? { ...body, text_pair: second } : body;
}

function showAnswer(card, model, answer, milliseconds, isPair) {
  const own = answer.student ?? answer; // a card tells what its own model says
  const time = `${milliseconds.toFixed(milliseconds < 10 ? 2 : 0)} ms`;
  card.querySelector(".time").textContent = answer.student ? `${time}, with ${answer.answered_by}` : time;
  const shown = said(own);
  card.querySelector(".label").textContent = shown;
  const shares = Object.entries(own.probabilities).sort(([, a], [, b]) => b - a); // numeric names lose their order
  card.querySelector("table tbody").replaceChildren(...shares.slice(0, MOST).map(labelRow));
  if (shares.length > MOST) {
    const row = element("tr", ""), rest = element("th", `and ${shares.length - MOST} less likely`, "rest");
    rest.colSpan = 3;
    row.append(rest);
    card.querySelector("table tbody").append(row);
  }
  const note = card.querySelector(".note"), notes = [];
  if (answer.student) {
    notes.push(`Below ${+(100 * model.below).toFixed(1)} %: ${answer.answered_by} is asked, and answers ${said(answer)}.`);
  }
  if (isPair && !model.reads) notes.push("It reads single texts: this is of the first one.");
  if (own.reason) notes.push(`${own.reason[0].toUpperCase()}${own.reason.slice(1)}.`);
  note.hidden = !notes.length;
  note.textContent = notes.join(" ");
  return `${model.name}: ${shown}, ${percent(shares[0][1])}, ${time}. ${note.textContent}`;
}

// A text with its words marked; a text of one word has no words here.
function marked(said, words, largest) {
  const letters = Array.from(said); // the server counts characters, not UTF-16 units
  const line = element("span", "", "part");
  let end = 0;
  for (const word of words) {
    const share = Math.abs(word.weight) / largest;
    const mark = element("mark", letters.slice(word.start, word.end).join(""), word.weight < 0 ? "against" : "for");
    mark.style.setProperty("--weight", share);
    line.append(letters.slice(end, word.start).join(""), share < 0.05 ? mark.textContent : mark);
    end = word.end;
  }
  line.append(letters.slice(end).join(""));
  return line;
}

function showWords(card, { text, text_pair: second }, { words, pair_words: others = [] }) {
  const all = [...words, ...others];
  if (!all.length) return;
  const largest = Math.max(...all.map(({ weight }) => Math.abs(weight))) || 1;
  const line = card.querySelector(".words");
  line.replaceChildren(marked(text, words, largest));
  if (second !== undefined) line.append(marked(second, others, largest));
  const rows = all.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).map(({ word, weight }) => {
    const row = element("tr", ""), name = element("th", word);
    name.scope = "row";
    row.append(name, element("td", `${signed(weight)} points`));
    return row;
  });
  card.querySelector("details tbody").replaceChildren(...rows);
  for (const part of [line, card.querySelector("details"), at("legend")]) part.hidden = false;
}

function newCard(model) {
  const card = at("card").content.firstElementChild.cloneNode(true);
  card.querySelector("h2").textContent = model.name;
  return card;
}

async function classify(texts, question) {
  const { models } = await ask("models");
  const cards = models.map(newCard), told = [];
  for (const [index, model] of models.entries()) { // one after another: none is slowed by the others
    const { answers, milliseconds } = await ask("predict", request(texts, model));
    told.push(showAnswer(cards[index], model, answers[0], milliseconds, texts.length > 1));
  }
  if (question !== asked) return;
  results.replaceChildren(...cards);
  at("legend").hidden = true;
  at("status").textContent = told.join(" ");
  for (const [index, model] of models.entries()) {
    const body = request(texts, model), explained = await ask("explain", body);
    if (question !== asked) return;
    showWords(cards[index], body, explained);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = ++asked;
  at("error").textContent = "";
  go.setAttribute("aria-disabled", "true"); // not disabled: that would lose the keyboard's place
  try {
    const second = pair && (pair.required || pair.value) ? [pair.value] : [];
    await classify([text.value, ...second], question);
  } catch (error) {
    if (question === asked) at("error").textContent = error.message;
  } finally {
    if (question === asked) go.setAttribute("aria-disabled", "false");
  }
});

for (const field of pair ? [text, pair] : [text]) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return; // a composed letter ends with Enter too
    event.preventDefault();
    form.requestSubmit();
  });
}

text.focus();
