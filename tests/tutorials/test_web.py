"""tutorials/web: the page in Chromium downloads, unpacks and runs the packed model."""

import numpy as np
import pytest
from lib import mnist
from support import browser, web

import keras_dc as dc

SECONDS = 60
# Strokes of a person's digits on a canvas of 280 pixels.
STROKES = {
    1: [[(140, 40), (140, 240)]],
    4: [[(95, 40), (85, 150), (200, 150)], [(180, 60), (180, 245)]],
    7: [[(70, 50), (210, 50), (130, 240)]],
    0: [[(140, 40), (80, 90), (70, 150), (100, 225), (150, 235), (205, 190), (210, 120),
         (180, 60), (140, 40)]],
}  # fmt: skip
# Keeps all that the page's status says.
_LISTEN = """
window.said = [];
document.addEventListener("DOMContentLoaded", () => {
  const status = document.getElementById("status");
  new MutationObserver(() => said.push(status.textContent)).observe(status, {childList: true});
});
"""
_DRAW = """
const [pixels, done] = arguments;
const picture = new OffscreenCanvas(28, 28);
const data = new ImageData(28, 28);
pixels.forEach((white, i) => data.data.set([white, white, white, 255], 4 * i));
picture.getContext("2d").putImageData(data, 0, 0);
const canvas = document.getElementById("canvas");
document.getElementById("clear").click();
canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
const digit = document.getElementById("digit");
new MutationObserver((_, observer) => {
  observer.disconnect();
  done(Number(digit.textContent));
}).observe(digit, {childList: true});
canvas.dispatchEvent(new Event("drawn"));
"""
_RUN = """
const [address, input, done] = arguments;
(async () => {
  const {loadAndCompile, Tensor} = await import("@litertjs/core");
  const {needsUnpacking, unpackFrom} = await import("keras-dc");
  const bytes = new Uint8Array(await (await fetch(address)).arrayBuffer());
  const refused = await unpackFrom(address).catch((error) => error.code);
  let kind;
  try {
    kind = needsUnpacking(bytes);
  } catch (error) {
    kind = error.code;
  }
  const model = await loadAndCompile(bytes, {accelerator: "wasm"});
  const [output] = await model.run(new Tensor(Float32Array.from(input), [1, 28, 28, 1]));
  return {kind, refused, outputs: [...output.toTypedArray()]};
})().then(done, (error) => done({error: String(error)}));
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of the page, and of a compressed file beside it."""
    folder = tmp_path_factory.mktemp("site")
    for path in web.site().iterdir():
        (folder / path.name).symlink_to(path)
    plain = dc.unpack(folder / "lenet_5.kdc")
    (folder / "plain.tflite").write_bytes(plain)
    (folder / "compressed.tflite").write_bytes(dc.compress(plain))
    with web.served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def driver(address):
    from selenium.webdriver.support.ui import WebDriverWait

    with browser.chromium() as driver:
        driver.set_script_timeout(SECONDS)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _LISTEN})
        driver.get(f"{address}/index.html")
        loading = ("Loading", "Downloading", "Unpacking")
        WebDriverWait(driver, SECONDS).until(lambda _: not status(driver).startswith(loading))
        yield driver


def status(driver):
    return driver.execute_script("return document.getElementById('status').textContent")


def test_the_page_is_ready_and_told_its_progress(driver):
    assert status(driver) == "Ready", driver.get_log("browser")
    said = driver.execute_script("return said")
    packed = web.site() / "lenet_5.kdc"
    assert f"Downloading {packed.stat().st_size:,} bytes" in said
    assert f"Unpacking {len(dc.unpack(packed)):,} bytes" in said
    # Of LiteRT.js there are others: it prints what it does as errors.
    faults = ("javascript", "network", "security")
    assert [entry for entry in driver.get_log("browser") if entry["source"] in faults] == []


def test_drawn_pictures_of_mnist_are_recognized(driver):
    data = mnist.load()
    images = np.round(255 * data.x_test[:100]).astype(int)
    digits = [driver.execute_async_script(_DRAW, image.ravel().tolist()) for image in images]
    labels = data.y_test[:100].tolist()
    firsts = [labels.index(digit) for digit in range(10)]
    assert [digits[i] for i in firsts] == list(range(10))
    assert np.mean(np.equal(digits, labels)) >= 0.97


@pytest.mark.parametrize("digit", STROKES)
def test_strokes_of_a_pen_are_recognized(driver, digit):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    driver.find_element("id", "clear").click()
    canvas = driver.find_element("id", "canvas")
    for stroke in STROKES[digit]:
        chain = ActionChains(driver, duration=20)
        # Offsets are from the middle.
        points = [(x - 140, y - 140) for x, y in stroke]
        chain.move_to_element_with_offset(canvas, *points[0]).click_and_hold()
        for point in points[1:]:
            chain.move_to_element_with_offset(canvas, *point)
        chain.release().perform()
    WebDriverWait(driver, SECONDS).until(
        lambda _: driver.find_element("id", "digit").text == str(digit)
    )


def test_litert_js_runs_a_compressed_file_and_raises_nothing(driver, address):
    """What the docs warn of, as of the pinned version, and what the package does about it."""
    image = mnist.load().x_test[0].ravel()
    plain, compressed = (
        driver.execute_async_script(_RUN, f"{address}/{name}.tflite", image.tolist())
        for name in ("plain", "compressed")
    )
    assert "error" not in plain, plain
    assert "error" not in compressed, compressed
    interpreter = dc.Interpreter(model_content=dc.unpack(web.site() / "lenet_5.kdc"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image.reshape(1, 28, 28, 1))
    interpreter.invoke()
    [expected] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(plain["outputs"], expected, rtol=1e-4, atol=1e-4)
    assert (plain["kind"], plain["refused"]) == (False, "not-packed")
    assert not np.allclose(compressed["outputs"], expected, atol=1)
    assert (compressed["kind"], compressed["refused"]) == ("compressed-model", "not-packed")
