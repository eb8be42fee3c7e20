"""The examples: that they run, that what they say is so, gradients and prices that are right."""

import importlib
import math
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fastrelu

EXAMPLES = Path(__file__).parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples/ is not beside these tests", allow_module_level=True)
pytest.importorskip("sklearn", reason="the examples train on its digits")
pytest.importorskip("matplotlib", reason="the examples draw with it")

sys.path.insert(0, str(EXAMPLES))
network, train_digits, dying_relu, option_prices = map(
    importlib.import_module, ("network", "train_digits", "dying_relu", "option_prices")
)
sys.path.remove(str(EXAMPLES))

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and terminals")
SCRIPTS = {
    "train_digits.py": train_digits,
    "dying_relu.py": dying_relu,
    "option_prices.py": option_prices,
}
OPTIONS = {
    "train_digits.py": ["epochs", "batch", "hidden", "learning-rate"],
    "dying_relu.py": ["epochs", "batch", "hidden", "learning-rates"],
    "option_prices.py": ["paths", "strikes"],
}
# What goes on for minutes, and a part of what it shows.
LONG = {
    "train_digits.py": (["--epochs", "1000000"], b"epoch 2 of 1000000"),
    "dying_relu.py": (["--epochs", "1000000"], b"epoch 2 of 1000000"),
    "option_prices.py": (["--paths", "50000000"], b"65,536 of 50,000,000 paths"),
}
CONTENDERS = {contender.name: contender for contender in train_digits.CONTENDERS}
SETTINGS = {setting.name: setting for setting in dying_relu.SETTINGS}
CENTRED = "He, centred pixels"
UNITS = 64
STEP = 1e-6


def run(script, *arguments, **environment):
    return subprocess.run(
        [sys.executable, EXAMPLES / script, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        timeout=120,
    )


def options_of(module, *arguments):
    return module.parser().parse_args(arguments)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Leave the other cores to the tests beside these: small products of matrices wait for them."""
    with network.limit_threads(1):
        yield


@pytest.fixture
def progress():
    return SimpleNamespace(show=lambda text: None, clear=lambda: None)


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(0)


# The network


@pytest.mark.parametrize("hidden", [[], [7], [8, 5, 3]], ids=str)
@pytest.mark.parametrize("activation", CONTENDERS.values(), ids=CONTENDERS.keys())
def test_gradients_are_those_of_finite_differences(activation, hidden):
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(11, 6)), rng.integers(0, 4, 11)
    net = network.Network([6, *hidden, 4], rng, activation, dtype=np.float64)
    for _, biases in net.layers:
        biases[:] = rng.normal(size=biases.shape)
    _, found = net.gradients(x, labels)
    for layer, gradients in zip(net.layers, found, strict=True):
        for parameter, gradient in zip(layer, gradients, strict=True):
            differences = np.empty_like(parameter)
            for i in np.ndindex(parameter.shape):
                value, losses = parameter[i], []
                for at in (value + STEP, value - STEP):
                    parameter[i] = at
                    losses.append(network.cross_entropy(net.forward(x)[0], labels)[0])
                parameter[i] = value
                differences[i] = (losses[0] - losses[1]) / (2 * STEP)
            assert np.count_nonzero(differences) > 0
            np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-8)


def test_cross_entropy_of_scores_whose_exponentials_overflow():
    scores = np.array([[1000.0, 0.0], [0.0, -1000.0]])
    loss, grad = network.cross_entropy(scores, np.array([1, 0]))
    assert loss == 500
    np.testing.assert_array_equal(grad, [[0.5, -0.5], [0, 0]])


def test_he_keeps_the_mean_square_from_layer_to_layer(rng):
    net = network.Network([500] * 5, rng)
    _, inputs, _ = net.forward(rng.normal(size=(200, 500)).astype(np.float32))
    for h in inputs[1:]:
        assert (h**2).mean() == pytest.approx(1, rel=0.2)


def test_the_digits_are_in_one_part_each_and_follow_the_seed():
    (x, labels), (x_test, labels_test) = network.load_digits(np.random.default_rng(3))
    assert (len(x), len(x_test)) == (len(labels), len(labels_test)) == (1438, 359)
    assert (x.min(), x.max(), x.dtype) == (0, 1, np.float32)
    assert not {row.tobytes() for row in x} & {row.tobytes() for row in x_test}
    again = network.load_digits(np.random.default_rng(3))
    np.testing.assert_array_equal(again[0][0], x)


def test_batches_hold_each_digit_once(rng):
    x = np.arange(10)
    found = network.batches(x[:, None], x, 4, rng)
    assert [len(labels) for _, labels in found] == [4, 4, 2]
    assert sorted(np.concatenate([labels for _, labels in found])) == list(x)
    assert all((batch[:, 0] == labels).all() for batch, labels in found)


# train_digits.py


def test_train_digits(tmp_path):
    done = run("train_digits.py", "--epochs", "8", "--plot", tmp_path / "plot.svg")
    assert (done.returncode, done.stderr) == (0, "")
    rows = re.findall(r"^(.{22}) +(0\.\d{4}) +(\d\.\d{4}) .*MiB$", done.stdout, re.MULTILINE)
    assert [name.rstrip() for name, _, _ in rows] == list(CONTENDERS)
    assert len({(accuracy, loss) for _, accuracy, loss in rows}) == 1
    assert float(rows[0][1]) > 0.9
    assert "The weights of all 7 are identical to the bit." in done.stdout
    assert re.search(
        r'^In ReLU, "fastrelu, add_relu" is \d+\.\d\dx faster than "fastrelu, in place"\.$',
        done.stdout,
        re.MULTILINE,
    )
    assert max(map(len, done.stdout.splitlines())) <= 100
    text = "".join(ET.parse(tmp_path / "plot.svg").getroot().itertext())
    assert all(name in text for name in CONTENDERS)
    assert os.listdir(tmp_path) == ["plot.svg"]


@pytest.mark.parametrize("hidden", [["1"], ["13", "7"], ["300"]], ids="-".join)
@pytest.mark.parametrize("batch", ["37", "2000"])
def test_the_weights_are_identical_to_the_bit(hidden, batch, progress):
    options = options_of(train_digits, "--epochs", "2", "--batch", batch, "--hidden", *hidden)
    trainings, _ = train_digits.train(options, progress)
    assert len(trainings[0].parameters()) == 4 * sum(
        (n + 1) * m
        for n, m in zip([64, *options.hidden], [*options.hidden, network.CLASSES], strict=True)
    )
    assert len({training.parameters() for training in trainings}) == 1


def test_other_weights_are_named_and_exit_1(monkeypatch, progress, capsys):
    leaky = network.Activation(
        "leaky", lambda z, b: (np.maximum(0, z + b), z + b), lambda grad, z: grad * (0.01 + (z > 0))
    )
    monkeypatch.setattr(train_digits, "CONTENDERS", (*train_digits.CONTENDERS, leaky))
    assert train_digits.main(options_of(train_digits, "--epochs", "1"), progress) == 1
    out = capsys.readouterr().out
    assert "WRONG: other weights than with NumPy: leaky.\n" in out
    assert "identical" not in out


def test_bytes_kept_for_the_backward_pass(progress):
    options = options_of(train_digits, "--epochs", "1", "--batch", "80", "--hidden", "32", "24")
    trainings, _ = train_digits.train(options, progress)
    h = 80 * (32 + 24)
    assert {training.name: training.kept_bytes for training in trainings} == {
        "NumPy": 8 * h,
        "NumPy, in place": 4 * h,
        "NumPy, mask of bool": 5 * h,
        "fastrelu": 8 * h,
        "fastrelu, in place": 4 * h,
        "fastrelu, add_relu": 4 * h,
        "fastrelu, one-bit mask": 4 * h + h // 8,
    }


def test_the_mask_spares_a_buffer_for_the_gradient(progress):
    options = options_of(train_digits, "--epochs", "1", "--batch", "500", "--hidden", "1000")
    trainings, _ = train_digits.train(options, progress)
    peak = {training.name: training.peak_bytes / (4 * 500 * 1000) for training in trainings}
    assert peak["fastrelu, one-bit mask"] < 1.5  # h, whose memory then holds the gradient
    assert 2 < peak["fastrelu, in place"] < 2.5
    assert peak["NumPy"] > 4


def test_a_loss_that_is_not_finite_is_refused():
    done = run("train_digits.py", "--learning-rate", "1e30", "--epochs", "3")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"train_digits\.py: error: --learning-rate 1e\+30: .* give a smaller one\n", done.stderr
    )


# dying_relu.py


@pytest.fixture(scope="module")
def result():
    """Return result(setting, rate): what becomes of it in a few epochs, computed once."""
    found = {}

    def result(setting, rate):
        if (setting, rate) not in found:
            options = options_of(dying_relu, "--epochs", "5")
            found[setting, rate] = dying_relu.train(SETTINGS[setting], rate, options)
        return found[setting, rate]

    return result


def test_dying_relu(tmp_path):
    arguments = ["--epochs", "3", "--learning-rates", "0.1", "1", "--plot", tmp_path / "plot.png"]
    done = run("dying_relu.py", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    shares = dict(re.findall(r"^(.{20} +\d\S*) .* (\d+\.\d)% .*\d\.\d{4}$", done.stdout, re.M))
    shares = {re.sub(" +", " ", name): float(share) for name, share in shares.items()}
    assert min(shares["He 1"], shares["std 1 0.1"]) > 30
    assert max(shares["He 0.1"], shares[f"{CENTRED} 0.1"], shares[f"{CENTRED} 1"]) < 10
    assert max(map(len, done.stdout.splitlines())) <= 100
    image = importlib.import_module("matplotlib.image").imread(tmp_path / "plot.png")
    assert image.shape[0] > 500
    assert image.std() > 0.01
    assert os.listdir(tmp_path) == ["plot.png"]


@pytest.mark.parametrize(("setting", "rate"), [("He", 1), ("std 1", 0.1)])
def test_units_die(setting, rate, result):
    dead = result(setting, rate).dead
    assert dead.shape == (6, 3)
    assert dead[0].sum() < 0.1 * 3 * UNITS
    assert dead[-1].sum() > 0.4 * 3 * UNITS
    assert result(setting, rate).accuracy < 0.5


@pytest.mark.parametrize(
    ("setting", "rate", "accuracy"),
    [("He", 0.1, 0.9), ("std 1", 0.01, 0.6), (CENTRED, 0.1, 0.9), (CENTRED, 1, 0.9)],
)
def test_units_live(setting, rate, accuracy, result):
    assert result(setting, rate).dead[-1].sum() < 0.1 * 3 * UNITS
    assert result(setting, rate).accuracy > accuracy


@pytest.mark.parametrize("rate", [0.1, 1])
def test_centred_pixels_leave_fewer_dead_at_the_start(rate, result):
    assert result(CENTRED, rate).dead[0].sum() < result("He", rate).dead[0].sum()


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("rate", [0.1, 1])
def test_no_unit_of_the_first_layer_comes_back(setting, rate, result):
    assert (np.diff(result(setting, rate).dead[:, 0]) >= 0).all()


def test_a_dead_unit_never_changes_again():
    rng = np.random.default_rng(0)
    (x, labels), _ = network.load_digits(rng)
    net = network.Network([64, UNITS, UNITS, network.CLASSES], rng)
    weights, biases = net.layers[0]
    for batch in network.batches(x, labels, 32, rng):
        net.learn(*batch, 1)
    dead = (x @ weights + biases <= 0).all(axis=0)
    before = weights.copy(), biases.copy()
    for batch in network.batches(x, labels, 32, rng):
        net.learn(*batch, 1)
    assert 5 < dead.sum() < UNITS
    np.testing.assert_array_equal(weights[:, dead], before[0][:, dead])
    np.testing.assert_array_equal(biases[dead], before[1][dead])
    assert (weights != before[0]).any()


def test_count_dead(rng):
    x = rng.normal(size=(50, 9)).astype(np.float32)
    x[[0, -1]] *= 9  # for which alone some units live
    net = network.Network([9, 23, 16, 3], rng)
    for (_, biases), step in zip(net.layers, (-3, -1, 0), strict=True):
        biases += step
    h, expected = x, []
    for weights, biases in net.layers[:-1]:
        z = h @ weights + biases
        expected.append((z <= 0).all(axis=0).sum())
        h = np.maximum(0, z)
    assert 0 < expected[0] < 23
    assert dying_relu.count_dead(net, x) == expected


def test_what_diverged_is_said(progress, capsys):
    arguments = ["--epochs", "2", "--learning-rates", "1e30", "--hidden", "8"]
    assert dying_relu.main(options_of(dying_relu, *arguments), progress) == 0
    assert capsys.readouterr().out.count("diverged") == len(SETTINGS)


# option_prices.py


STRIKES = np.array([60.0, 95.0, 100.0, 140.0])
BY_OPTION = {option.name: option for option in option_prices.OPTIONS}


@pytest.fixture(scope="module")
def shares():
    return option_prices.simulate(40_000, 0, SimpleNamespace(show=lambda text: None))


def price_options(progress, *arguments):
    options = options_of(option_prices, "--paths", "20000", *arguments)
    return option_prices.main(options, progress)


def test_option_prices(tmp_path):
    arguments = "--paths", "20000", "--strikes", "120", "95", "--plot", tmp_path / "plot.svg"
    done = run("option_prices.py", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    rows = re.findall(r"^(\w.{23}) +(\d+) +(\d+\.\d{4}) ", done.stdout, re.MULTILINE)
    assert [(name.rstrip(), strike) for name, strike, _ in rows] == [
        (name, strike) for name in BY_OPTION for strike in ("95", "120")
    ]
    names = [contender.name for contender in option_prices.CONTENDERS]
    times = re.findall(r"^(\w.{23}) .*\d\.\d\d +\d+\.\d\d MiB$", done.stdout, re.MULTILINE)
    assert [name.rstrip() for name in times] == names
    assert "The payoffs are NumPy's to the bit." in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    text = "".join(ET.parse(tmp_path / "plot.svg").getroot().itertext())
    assert all(name in text for name in (*BY_OPTION, *names))
    assert os.listdir(tmp_path) == ["plot.svg"]


def test_the_means_are_those_of_the_payoffs_written_out(shares, progress):
    end = shares["end"]
    expected = [
        [np.maximum(end - strike, 0).mean() for strike in STRIKES],
        [np.maximum(strike - end, 0).mean() for strike in STRIKES],
        [np.maximum(shares["geometric"] - strike, 0).mean() for strike in STRIKES],
        [np.maximum(shares["arithmetic"] - strike, 0).mean() for strike in STRIKES],
    ]
    for measured in option_prices.measure(shares, STRIKES, progress):
        np.testing.assert_allclose(
            measured.means, expected, rtol=option_prices.tolerance(end.size), atol=0
        )


@pytest.mark.parametrize("strike", STRIKES)
def test_each_mean_is_within_half_the_tolerance_of_the_exact_one(shares, strike):
    payoffs = fastrelu.subtract_relu(shares["end"], strike)
    exact = math.fsum(payoffs) / payoffs.size
    for contender in option_prices.CONTENDERS:
        (mean,) = contender.means(shares["end"], [strike])
        assert abs(mean - exact) <= option_prices.tolerance(payoffs.size) / 2 * exact


@pytest.mark.parametrize("strike", STRIKES)
@pytest.mark.parametrize("name", [name for name in BY_OPTION if "arithmetic" not in name])
def test_the_closed_formula_is_the_integral_over_the_density(name, strike):
    option = BY_OPTION[name]
    z, width = np.linspace(-12, 12, 1_000_001, retstep=True)
    s = np.exp(option.log_mean + np.sqrt(option.log_variance) * z)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    mean = (np.maximum(option.sign * (s - strike), 0) * density).sum() * width
    assert option_prices.closed_formula(option, strike) == pytest.approx(
        option_prices.DISCOUNT * mean, rel=1e-6
    )


def test_logarithms_have_the_moments_of_the_closed_formula(shares):
    for option in option_prices.OPTIONS:
        if option.log_mean is not None:
            logs = np.log(shares[option.share])
            assert logs.mean() == pytest.approx(option.log_mean, abs=0.005)
            assert logs.var() == pytest.approx(option.log_variance, rel=0.05)


def test_paths_follow_the_seed_and_averages_have_their_order(shares, progress):
    again = option_prices.simulate(40_000, 0, progress)
    other = option_prices.simulate(40_000, 1, progress)
    for name, prices in shares.items():
        np.testing.assert_array_equal(again[name], prices)
        assert (other[name] != prices).all()
    assert (shares["geometric"] < shares["arithmetic"]).all()


@pytest.mark.skipif(fastrelu.isa == "python", reason="the fallback stores the payoffs")
def test_the_bytes_of_a_price(shares, progress):
    measured = option_prices.measure(shares, STRIKES, progress)
    sizes = [result.peak_bytes / shares["end"].nbytes for result in measured]
    assert sizes == pytest.approx([2, 1, 1, 0], abs=0.05)


def test_other_payoffs_are_named_and_exit_1(monkeypatch, progress, capsys):
    subtract_relu = fastrelu.subtract_relu
    monkeypatch.setattr(fastrelu, "subtract_relu", lambda *a, **b: -subtract_relu(*a, **b))
    assert price_options(progress, "--strikes", "90") == 1
    out = capsys.readouterr().out
    assert "WRONG: other payoffs than NumPy's: European call at 90; European put at 90; " in out
    assert "to the bit" not in out


def test_other_means_exit_1(monkeypatch, progress, capsys):
    relu_mean = fastrelu.relu_mean
    monkeypatch.setattr(fastrelu, "relu_mean", lambda *a, **b: relu_mean(*a, **b) * (1 + 1e-13))
    assert price_options(progress) == 1
    assert "WRONG: a mean differs from NumPy's by 1.0e-13, relative" in capsys.readouterr().out


def test_prices_of_another_share_exit_1(monkeypatch, progress, capsys):
    monkeypatch.setattr(option_prices, "VOLATILITY", 0.3)
    assert price_options(progress) == 1
    out = capsys.readouterr().out
    assert re.search(r"^WRONG: a price is \d+\.\d\d standard errors from", out, re.MULTILINE)


def test_an_option_that_never_pays(progress, capsys):
    assert price_options(progress, "--strikes", "1e-9", "1e300") == 0
    never_paid = r"^European call +1e\+300 +0\.0000 +0\.0000 +0\.0000 +-$"
    assert re.search(never_paid, capsys.readouterr().out, re.MULTILINE)


# All


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script):
    done = run(script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in (*OPTIONS[script], "seed", "threads", "plot"):
        assert f"--{word}" in done.stdout
    assert "exit status" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        *((script, ["--plot", "a.pdf"], "must end in .svg or .png") for script in SCRIPTS),
        ("option_prices.py", ["--paths", "999"], "1000 to 1000000000000 are needed, not '999'"),
        ("option_prices.py", ["--paths", "1000000000001"], "1000 to 1000000000000 are needed"),
        ("option_prices.py", ["--strikes", "100", "0"], "a positive number is needed, not '0'"),
        ("option_prices.py", ["--threads", "65"], "--threads 65: "),
        ("train_digits.py", ["--batch", "0"], "a whole number from 1 up is needed"),
        ("train_digits.py", ["--seed", "-1"], "a whole number from 0 up is needed"),
        ("train_digits.py", ["--hidden", "x"], "a whole number from 1 up is needed, not 'x'"),
        ("train_digits.py", ["--learning-rate", "nan"], "a positive number is needed"),
        ("train_digits.py", ["--plot", "no/such/folder/a.svg"], "No such file or directory"),
        ("train_digits.py", ["--colour"], "unrecognized arguments: --colour"),
        ("dying_relu.py", ["--learning-rates", "0.1", "-1"], "a positive number is needed"),
        ("dying_relu.py", ["--threads", "0"], "a whole number from 1 up is needed, not '0'"),
    ],
)
def test_a_bad_option_is_one_line(script, arguments, message, monkeypatch, capsys, tmp_path):
    module = SCRIPTS[script]
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        module.run(module.parser(), module.main)
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{script}: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("script", "package", "arguments"),
    [
        ("train_digits.py", "sklearn", []),
        ("dying_relu.py", "sklearn", []),
        *((script, "matplotlib", ["--plot", "a.svg"]) for script in SCRIPTS),
    ],
)
def test_a_package_that_is_missing_is_named(script, package, arguments, tmp_path):
    (tmp_path / f"{package}.py").write_text(f"raise ImportError('no {package} here')")
    done = run(script, *arguments, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{script}: error: ")
    assert done.stderr.endswith(f"no {package} here\n")
    assert done.stderr.count("\n") == 1


@posix
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("script", SCRIPTS)
def test_progress_on_a_terminal_and_control_c(script, tmp_path):
    arguments, expected = LONG[script]
    leader, follower = os.openpty()
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / script, *arguments, "--plot", tmp_path / "plot.svg"],
        stdout=subprocess.PIPE,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while expected not in shown:
        shown += os.read(leader, 65536)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    while not shown.endswith(b"\n"):
        shown += os.read(leader, 65536)
    os.close(leader)
    assert (process.returncode, out) == (130, b"")
    assert shown.endswith(f"\r{script}: interrupted\r\n".encode())
    assert os.listdir(tmp_path) == []
