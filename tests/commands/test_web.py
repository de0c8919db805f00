"""The folder of a page that runs a student: what is in it, and the page looked at in a real browser."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

import potstill
from browsers import console, element, elements, on_a_phone
from javascript import static_server
from potstill.artifacts import CONFIG, ONNX_MODEL
from potstill.commands import export as stage
from potstill.commands.export import ExportOptions, export
from potstill.commands.web import write_web_folder
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError
from potstill.export.onnx_files import export_int8, save_model
from potstill.serving.explaining import leave_one_out, split_words, word_weights
from potstill.tasks import MULTI_LABEL
from potstill.training.fitting import new_student
from potstill.training.vocabulary import Vocabulary
from standins import change_json, write_student

TEXT = "a 😀 b, c"


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_student(tmp_path_factory.mktemp("student"), labels=("0", "1"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, student: Path, tiny_data: Path) -> Path:
    out = tmp_path_factory.mktemp("pages") / "site"
    exported = export(ExportOptions(student, check=tiny_data, max_drop=100, web=out))
    assert "int8" in exported.precisions and exported.web is not None
    return out


@pytest.fixture
def url(site: Path) -> Iterator[str]:
    with static_server(site) as address:
        yield address


def classify(page: Chrome, text: str) -> WebElement:
    """Type a text, press Enter, and wait for the words of the card."""
    page.switch_to.active_element.send_keys(text, Keys.ENTER)
    WebDriverWait(page, 60).until(lambda _: elements(page, "article .words:not([hidden])"))
    return element(page, "article")


def opened(page: Chrome, url: str) -> Chrome:
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page.get(url)
    console(page)  # forget what was before
    return page


def test_the_page_shows_what_python_gives_and_needs_nothing_from_elsewhere(
    browser: Chrome, url: str, student: Path
) -> None:
    page = opened(browser, url)
    card = classify(page, TEXT)
    model = potstill.load(student, precision="int8")
    probabilities = model.predict_proba([TEXT])
    shares = sorted(zip(probabilities[0], model.classes_, strict=True), reverse=True)
    assert element(card, "h2").text == "cnn" and element(card, ".label").text == shares[0][1]
    rows = [row.text.replace("\n", " ") for row in elements(card, "table:first-of-type tr")[:2]]
    assert rows == [f"{label} {100 * share:.1f} %" for share, label in shares]
    assert element(card, ".words").text == TEXT
    element(card, "summary").click()
    words = split_words(TEXT)
    weights = word_weights(probabilities[0], model.predict_proba(leave_one_out(TEXT, words)))
    shown = {row.text.split(" ")[0] for row in elements(card, "details tr")}
    assert shown == {word.word for word in words}
    largest = max(zip(weights, words, strict=True), key=lambda pair: abs(pair[0]))
    first = element(card, "details tr").text.replace("\N{MINUS SIGN}", "-")
    assert first == f"{largest[1].word} {100 * largest[0]:+.1f} points"
    loaded = page.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded and all(name.startswith(url) for name in loaded)
    assert console(page) == []  # no error, and nothing that the policy forbids


def test_a_student_of_pairs_has_a_second_field(browser: Chrome, core_students: list[Path], tmp_path: Path) -> None:
    folder = next(folder for folder in core_students if folder.name == "cnn-pairs")
    write_web_folder(folder, tmp_path / "site")
    with static_server(tmp_path / "site") as url:
        page = opened(browser, url)
        element(page, "#text").send_keys("the film is bad", Keys.TAB)
        card = classify(page, "a good film")
        pair = ("the film is bad", "a good film")
        model = potstill.load(folder, precision="int8")
        assert element(card, ".label").text == model.predict([pair])[0]
        assert [part.text for part in elements(card, ".words .part")] == list(pair)
        assert len(elements(card, "details tr")) == 7 and console(page) == []


def test_it_opens_without_a_network_once_it_was_loaded(browser: Chrome, site: Path) -> None:
    with static_server(site) as url:
        page = opened(browser, url)
        kept = "navigator.serviceWorker.ready.then(({ active }) => arguments[0](active.scriptURL))"
        page.set_script_timeout(60)
        assert page.execute_async_script(kept) == f"{url}sw.js"
        online = element(classify(page, TEXT), ".label").text
    page.get(url)  # the server is gone
    assert element(classify(page, TEXT), ".label").text == online
    page.get(f"{url}index.html")
    assert element(classify(page, TEXT), ".label").text == online


def test_it_fits_a_phone(browser: Chrome, url: str) -> None:
    page = opened(browser, url)
    on_a_phone(page)
    page.get(url)
    classify(page, "a b " + "longword" * 20)
    assert element(page, "#go").size["height"] >= 44
    assert page.execute_script("return document.documentElement.scrollWidth") == 390


def test_a_text_that_cannot_be_classified_is_told(browser: Chrome, url: str) -> None:
    page = opened(browser, url)
    element(page, "#text").send_keys(" ", Keys.ENTER)
    WebDriverWait(page, 60).until(lambda _: "text 1 is empty" in element(page, "[role=alert]").text)
    element(page, "#text").clear()
    element(page, "#text").send_keys("a " * 201, Keys.ENTER)
    WebDriverWait(page, 60).until(lambda _: "give at most 200 to explain" in element(page, "[role=alert]").text)


def test_a_text_without_a_label_has_the_reason(browser: Chrome, tmp_path: Path, tiny_data: Path) -> None:
    (tmp_path / "student").mkdir()
    folder = write_student(tmp_path / "student", labels=("x", "y"), problem_type=MULTI_LABEL)
    change_json(folder / CONFIG, label_thresholds=[1.0, 1.0])
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "valid"):
        (data / f"{split}.jsonl").write_text('{"text": "a b", "labels": ["x"]}\n{"text": "c d", "labels": ["y"]}\n')
    export(ExportOptions(folder, check=data, max_drop=100, web=tmp_path / "site"))
    with static_server(tmp_path / "site") as url:
        card = classify(opened(browser, url), "a b")
        assert element(card, ".label").text == "none of these"
        assert "below its threshold" in element(card, ".note").text


def test_its_sizes_are_told_and_its_files_whole(site: Path, student: Path) -> None:
    exported = export(ExportOptions(student, web=site))  # what is in 8-bit integers already is not made again
    assert exported.precisions == {} and exported.web is not None
    files = exported.web.files
    names = {str(file.relative_to(site)) for file in site.rglob("*") if file.is_file()}
    assert set(files) == names - {"manifest.json"}
    assert files["potstill.wasm"][0] == (site / "potstill.wasm").stat().st_size
    assert all(f'"{name}"' in (site / "sw.js").read_text() for name in names - {"manifest.json", "index.html", "sw.js"})
    total = sum(size for size, _ in files.values())
    assert f"{site}: {total / 1e6:.2f} MB, " in str(exported) and "python -m http.server" in str(exported)


def test_int8_that_loses_too_much_leaves_no_folder(
    tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "student").mkdir()
    folder = write_student(tmp_path / "student", labels=("0", "1"))
    exact = stage.Precision("accuracy", share=0.8, agreement=1, drop=0, p50_ms=0.1, megabytes=4)
    lossy = replace(exact, share=0.785, drop=1.5, megabytes=1)
    monkeypatch.setattr(stage, "_measure", lambda *_: {"fp32": exact, "int8": lossy})
    with pytest.raises(PotstillError, match=r"int8 loses 1\.50 points"):
        export(ExportOptions(folder, check=tiny_data, web=tmp_path / "site"))
    assert not (tmp_path / "site").exists()


def test_what_does_not_run_in_a_browser_is_refused(
    tmp_path: Path, classifier_folder: Callable[[dict[int, str]], Path]
) -> None:
    teacher = classifier_folder({0: "0", 1: "1"})
    with pytest.raises(PotstillError, match="a transformer, which does not run in a browser: give a student"):
        export(ExportOptions(teacher, web=tmp_path / "site"))
    (tmp_path / "student").mkdir()
    folder = write_student(tmp_path / "student", labels=("0", "1"))
    change_json(folder / CONFIG, analyzer="kiwi")
    with pytest.raises(PotstillError, match="reads morphemes, by the analyzer 'kiwi'"):
        export(ExportOptions(folder, web=tmp_path / "site"))


def test_something_else_in_the_place_of_the_folder_stays(student: Path, site: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(PotstillError, match="was not made by potstill"):
        export(ExportOptions(student, web=tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_the_folder_of_a_cnn_with_26_000_words_of_50_numbers_has_less_than_3_mb(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    found = {"".join(generator.choice(letters, generator.integers(4, 12))) for _ in range(30_000)}
    words = sorted(found, key=lambda word: word[::-1])[:26_000]
    table = generator.normal(size=(26_003, 50)).astype(np.float32)
    vocabulary = Vocabulary(build_tokenizer(words, lower=True), table)
    (tmp_path / "student").mkdir()
    made = new_student("cnn", {}, vocabulary, ["0", "1"], embedding_trainable=True, seed=1)
    save_model(*made, tmp_path / "student")
    model, tokenizer = made
    export_int8(model, tmp_path / "student" / ONNX_MODEL, tokenizer.backend_tokenizer, words[:20])
    files = write_web_folder(tmp_path / "student", tmp_path / "site").files
    assert sum(size for size, _ in files.values()) < 3_000_000
